// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * Measures what whole processes cost, from before the fork to reaped, in turn within one run.
 *
 *     runner [--rounds N] [--warmup N] [--caller UID:GID:GROUP] [--trail SOCKET]... [--ratio-to LABEL]... [--policy PLACE]
 *            LABEL root|caller[=STATUS] STDIN PROGRAM ARGUMENT... ';'  ...
 *
 * In turn (A B C A B C …), because a machine's speed drifts with heat, neighbours and frequency: measured one after another, two
 * equal programs differ. The caller's ids are taken in the child by three system calls before execve, the same for every program
 * that is not root's, so that no wrapper's time is counted. Descriptor 0 is STDIN, opened afresh for each run; 1 and 2 are
 * a pipe that is emptied after each run. A run that fails ends the benchmark with what it said.
 *
 * With --trail the runner plays journald: a datagram socket that anybody may write to, and a process that reads it, so that
 * the record of a request is really written and taken.
 *
 * With --policy each peer has its own policy: before the clock starts, STDIN.policy becomes PLACE, as a hard link, so that what
 * the kernel has cached of it stays cached.
 *
 * Linked statically and kept small: what wait4 reports as a child's peak memory includes what it shared with its
 * parent before execve, so the runner's own size is the least that the last column can show.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PEERS = 16, MOST_RATIOS = 4, MOST_TRAILS = 4 };

struct peer {
	const char *label;
	int as_caller;
	int status; /* that it ends with */
	const char *input;
	char **argv;
	uint64_t *ns;  /* one for each round */
	long peak_kib;
};

struct trail {
	const char *path;
	pid_t reader;
	uint64_t *records; /* shared with the reader */
};

static struct peer peers[MOST_PEERS];
static size_t peer_count;
static struct trail trails[MOST_TRAILS];
static size_t trail_count;
static const char *ratio_to[MOST_RATIOS];
static size_t ratio_count;
static size_t rounds = 400, warmup = 20;
static uid_t caller_uid;
static gid_t caller_gid, caller_group;
static const char *policy_place;
static int output[2];

/* What a child is given: nothing of the environment in which the benchmark was started may change a figure. */
static char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };

static void __attribute__((noreturn, format(printf, 1, 2))) give_up(const char *format, ...)
{
	va_list arguments;

	fputs("runner: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1); /* the readers of the trails end with this process */
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Only system calls: with vfork this runs in the parent's memory. The raw ones, because glibc's wrappers change the ids of all
 * threads of what it takes for the process. Each errno reaches the parent through `failure`. */
static void __attribute__((noreturn)) become_peer(const struct peer *peer, int input, volatile int *failure)
{
	if (dup2(input, 0) < 0 || dup2(output[1], 1) < 0 || dup2(output[1], 2) < 0)
		goto failed;
	/* No controlling terminal: sudo would make a pty where there is one, and the figure depend on who starts this. */
	if (setsid() < 0)
		goto failed;
	if (peer->as_caller &&
	    (syscall(SYS_setgroups, 1, &caller_group) != 0 ||
	     syscall(SYS_setresgid, caller_gid, caller_gid, caller_gid) != 0 ||
	     syscall(SYS_setresuid, caller_uid, caller_uid, caller_uid) != 0))
		goto failed;
	execve(peer->argv[0], peer->argv, environment);
failed:
	*failure = errno;
	_exit(127);
}

/* What the child wrote, ready to be shown; empties the pipe for the next run. */
static const char *said(void)
{
	static char text[4097];
	char excess[4096];
	ssize_t bytes = read(output[0], text, sizeof text - 1);

	if (bytes < 0)
		bytes = 0;
	while (read(output[0], excess, sizeof excess) > 0)
		;
	for (ssize_t i = 0; i < bytes; i++) /* a reply ends in NUL */
		if (text[i] == '\0')
			text[i] = '\n';
	text[bytes] = '\0';
	return text;
}

static void place_policy(const struct peer *peer)
{
	char from[512], fresh[512];

	if (snprintf(from, sizeof from, "%s.policy", peer->input) >= (int)sizeof from ||
	    snprintf(fresh, sizeof fresh, "%s.new", policy_place) >= (int)sizeof fresh)
		give_up("%s: %s", peer->label, strerror(ENAMETOOLONG));
	unlink(fresh); /* rename leaves it where both are the same file already */
	if (link(from, fresh) != 0 || rename(fresh, policy_place) != 0)
		give_up("%s: `%s` as %s: %s", peer->label, from, policy_place, strerror(errno));
}

static uint64_t run(struct peer *peer)
{
	volatile int failure = 0;
	struct rusage usage;
	int status;
	int input = open(peer->input, O_RDONLY | O_CLOEXEC);

	if (input < 0)
		give_up("%s: %s", peer->input, strerror(errno));
	if (policy_place)
		place_policy(peer);
	uint64_t start = now_ns();
	pid_t child = vfork();
	if (child == 0)
		become_peer(peer, input, &failure);
	if (child < 0)
		give_up("vfork: %s", strerror(errno));
	while (wait4(child, &status, 0, &usage) < 0)
		if (errno != EINTR)
			give_up("wait4: %s", strerror(errno));
	uint64_t ns = now_ns() - start;
	close(input);

	const char *words = said();
	if (failure)
		give_up("%s: cannot start `%s`: %s", peer->label, peer->argv[0], strerror(failure));
	if (WIFSIGNALED(status))
		give_up("%s: killed by signal %d (%s)\n%s", peer->label, WTERMSIG(status), strsignal(WTERMSIG(status)), words);
	if (WEXITSTATUS(status) != peer->status)
		give_up("%s: exit status %d\n%s", peer->label, WEXITSTATUS(status), words);
	if (usage.ru_maxrss > peer->peak_kib)
		peer->peak_kib = usage.ru_maxrss;
	return ns;
}

/* Plays journald on one socket: takes every record and keeps none. */
static void open_trail(struct trail *trail)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int at;
	pid_t parent = getpid();

	if (strlen(trail->path) >= sizeof address.sun_path)
		give_up("`%s` is too long for a socket", trail->path);
	strcpy(address.sun_path, trail->path);
	trail->records = mmap(NULL, sizeof *trail->records, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (trail->records == MAP_FAILED)
		give_up("mmap: %s", strerror(errno));
	unlink(trail->path);
	at = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (at < 0 || bind(at, (struct sockaddr *)&address, sizeof address) != 0 || chmod(trail->path, 0666) != 0)
		give_up("%s: %s", trail->path, strerror(errno));
	trail->reader = fork();
	if (trail->reader < 0)
		give_up("fork: %s", strerror(errno));
	if (trail->reader == 0) {
		char record[65536];

		if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
			_exit(1);
		while (recv(at, record, sizeof record, 0) >= 0)
			__atomic_add_fetch(trail->records, 1, __ATOMIC_RELAXED);
		_exit(1);
	}
	close(at);
}

static void close_trail(struct trail *trail)
{
	usleep(100000); /* the last records may still wait to be read */
	kill(trail->reader, SIGKILL);
	waitpid(trail->reader, NULL, 0);
	unlink(trail->path);
	fprintf(stderr, "%s took %" PRIu64 " records\n", trail->path, *trail->records);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of sorted values: the smallest that at least `percent` of all do not exceed. */
static double percentile_us(const struct peer *peer, size_t percent)
{
	size_t rank = (rounds * percent + 99) / 100;

	return (double)peer->ns[rank ? rank - 1 : 0] / 1000;
}

static const struct peer *labelled(const char *label)
{
	for (size_t i = 0; i < peer_count; i++)
		if (strcmp(peers[i].label, label) == 0)
			return &peers[i];
	return NULL;
}

static void print_table(void)
{
	for (size_t i = 0; i < peer_count; i++)
		qsort(peers[i].ns, rounds, sizeof *peers[i].ns, by_size);
	fputs("| program | median µs | p95 µs | minimum µs |", stdout);
	for (size_t r = 0; r < ratio_count; r++)
		printf(" × %s |", ratio_to[r]);
	fputs(" peak KiB |\n|---|--:|--:|--:|", stdout);
	for (size_t r = 0; r < ratio_count; r++)
		fputs("--:|", stdout);
	fputs("--:|\n", stdout);
	for (size_t i = 0; i < peer_count; i++) {
		double median = percentile_us(&peers[i], 50);

		printf("| %s | %.0f | %.0f | %.0f |", peers[i].label, median, percentile_us(&peers[i], 95),
		       (double)peers[i].ns[0] / 1000);
		for (size_t r = 0; r < ratio_count; r++) {
			const struct peer *other = labelled(ratio_to[r]);

			if (other)
				printf(" %.2f |", median / percentile_us(other, 50));
			else
				fputs(" – |", stdout); /* left out of this run */
		}
		printf(" %ld |\n", peers[i].peak_kib);
	}
}

static size_t number(const char *option, const char *text, size_t least)
{
	char *end;
	unsigned long value = text ? strtoul(text, &end, 10) : 0;

	if (!text || *text < '0' || *text > '9' || *end || value < least || value > 1000000)
		give_up("`%s` takes a number from %zu to 1000000", option, least);
	return value;
}

static char **parse_options(char **at)
{
	for (; *at && strncmp(*at, "--", 2) == 0; at += 2) {
		const char *option = at[0], *value = at[1];

		if (!value)
			give_up("`%s` takes a value", option);
		if (strcmp(option, "--rounds") == 0)
			rounds = number(option, value, 1);
		else if (strcmp(option, "--warmup") == 0)
			warmup = number(option, value, 0);
		else if (strcmp(option, "--caller") == 0) {
			if (sscanf(value, "%u:%u:%u", &caller_uid, &caller_gid, &caller_group) != 3 || !caller_uid)
				give_up("`--caller` takes UID:GID:GROUP, not root's");
		} else if (strcmp(option, "--trail") == 0 && trail_count < MOST_TRAILS)
			trails[trail_count++].path = value;
		else if (strcmp(option, "--ratio-to") == 0 && ratio_count < MOST_RATIOS)
			ratio_to[ratio_count++] = value;
		else if (strcmp(option, "--policy") == 0)
			policy_place = value;
		else
			give_up("unknown option `%s`, or too many of it", option);
	}
	return at;
}

static void parse_peers(char **at)
{
	while (*at) {
		struct peer *peer = &peers[peer_count];

		if (peer_count++ == MOST_PEERS)
			give_up("more than %d programs", MOST_PEERS);
		if (!at[1] || !at[2] || !at[3])
			give_up("`%s`: expected LABEL root|caller[=STATUS] STDIN PROGRAM ARGUMENT... ';'", at[0]);
		peer->label = at[0];
		char *status = strchr(at[1], '=');
		if (status)
			*status++ = '\0';
		peer->status = status ? atoi(status) : 0;
		peer->as_caller = strcmp(at[1], "caller") == 0;
		if (!peer->as_caller && strcmp(at[1], "root") != 0)
			give_up("`%s` is neither `root` nor `caller`", at[1]);
		if (peer->as_caller && !caller_uid)
			give_up("%s: runs as the caller, but there is no `--caller`", peer->label);
		peer->input = at[2];
		peer->argv = at + 3;
		for (at += 3; *at && strcmp(*at, ";") != 0; at++)
			;
		if (!*at)
			give_up("%s: the command has no `;` at its end", peer->label);
		*at++ = NULL;
		peer->ns = calloc(rounds, sizeof *peer->ns);
		if (!peer->ns)
			give_up("out of memory");
	}
	if (!peer_count)
		give_up("no program to measure");
}

int main(int argc, char **argv)
{
	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_peers(parse_options(argv + 1));
	/* The write end blocks, as an agent's pipe does; only this side must not wait for what was not said. */
	if (pipe2(output, O_CLOEXEC) != 0 || fcntl(output[0], F_SETFL, O_NONBLOCK) != 0)
		give_up("pipe: %s", strerror(errno));
	for (size_t i = 0; i < trail_count; i++)
		open_trail(&trails[i]);
	for (size_t i = 0; i < warmup; i++)
		for (size_t p = 0; p < peer_count; p++)
			run(&peers[p]);
	for (size_t i = 0; i < rounds; i++)
		for (size_t p = 0; p < peer_count; p++)
			peers[p].ns[i] = run(&peers[p]);
	for (size_t i = 0; i < trail_count; i++)
		close_trail(&trails[i]);
	print_table();
	return fflush(stdout) == 0 ? 0 : 1;
}
