// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * Measures what whole processes cost, from before the fork to reaped, in turn within one run.
 *
 *     runner [--rounds N] [--warmup N] [--caller UID:GID:GROUP] [--trail SOCKET]... [--ratio-to LABEL]... [--policy PLACE]
 *            [--output kept|read|shown] LABEL root|caller[=STATUS] STDIN [--before PROGRAM ARGUMENT... ,] PROGRAM ARGUMENT... ';'
 *            LABEL resident - PROGRAM ARGUMENT... ';'  ...
 *
 * In turn (A B C A B C …), because a machine's speed drifts with heat, neighbours and frequency: measured one after another, two
 * equal programs differ. The caller's ids are taken in the child by three system calls before execve, the same for every program
 * that is not root's, so that no wrapper's time is counted. Descriptor 0 is STDIN, opened afresh for each run; 1 and 2 are
 * a pipe that is emptied after each run. A run that fails ends the benchmark with what it said.
 *
 * With --trail the runner plays journald (trail.h).
 *
 * With --policy each peer has its own policy: before the clock starts, STDIN.policy becomes PLACE, as a hard link, so that what
 * the kernel has cached of it stays cached.
 *
 * With `--output read` a reader empties the pipe while the program runs, as the caller of a long listing does. The table is
 * then in milliseconds, and shows when the first bytes came. With `--output shown` the output itself is printed and no table. Otherwise the output must fit
 * into a pipe.
 *
 * `--before` runs a command as root before each run, outside of the measured time. It must end with status 0.
 *
 * A resident is a program that stays and measures itself: it is started once, as the caller, and for each byte that it reads
 * on descriptor 0 it does its work and writes a line with the nanoseconds that this took.
 *
 * Context switches and page faults are what wait4 reports of the child, medians. The few of the child before execve are
 * among them, and the same for every program.
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PEERS = 16, MOST_RATIOS = 4, MOST_TRAILS = 4 };

struct peer {
	const char *label;
	int as_caller;
	int status; /* that it ends with */
	const char *input;
	char **before; /* a command that runs before each run; or none */
	char **argv;
	int resident;
	int ask, answer; /* a resident's descriptors 0 and 1 */
	uint64_t *ns;    /* these four have one for each round */
	uint64_t *first_ns;
	uint64_t *switches;
	uint64_t *faults;
	long peak_kib;
};

/* What one run cost. */
struct cost {
	uint64_t ns, first_ns, switches, faults;
};

static struct peer peers[MOST_PEERS];
static size_t peer_count;
static const char *ratio_to[MOST_RATIOS];
static size_t ratio_count;
static size_t rounds = 400, warmup = 20;
static uid_t caller_uid;
static gid_t caller_gid, caller_group;
static const char *policy_place;
static int output_is_read, output_is_shown;
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

#include "trail.h"

static struct trail trails[MOST_TRAILS];
static size_t trail_count;

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

/* A function of its own: what lives across vfork stays few. The child never returns from it. */
static pid_t __attribute__((noinline)) start_peer(const struct peer *peer, int input, volatile int *failure)
{
	pid_t child = vfork();

	if (child == 0)
		become_peer(peer, input, failure);
	if (child < 0)
		give_up("vfork: %s", strerror(errno));
	return child;
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

/* Runs the command that a peer has before each run. What it says goes to descriptor 2. */
static void prepare(const struct peer *peer)
{
	int status;
	pid_t child = vfork();

	if (child == 0) {
		execve(peer->before[0], peer->before, environment);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		give_up("%s: vfork: %s", peer->label, strerror(errno));
	if (status != 0)
		give_up("%s: `%s` before it failed", peer->label, peer->before[0]);
}

/* Reads what the child writes until it ends. Keeps the beginning, for a message; returns when the first bytes came. */
static uint64_t read_output(int from, char *text, size_t room)
{
	static char block[65536];
	uint64_t first = 0;
	ssize_t bytes;

	while ((bytes = read(from, block, sizeof block)) != 0) {
		if (bytes < 0) {
			if (errno == EINTR)
				continue;
			give_up("read: %s", strerror(errno));
		}
		if (output_is_shown)
			fwrite(block, 1, (size_t)bytes, stdout);
		if (first)
			continue;
		first = now_ns();
		memcpy(text, block, (size_t)bytes < room ? (size_t)bytes : room);
	}
	return first;
}

/* The write end must be this child's alone, so that its end is the end of the output. */
static void fresh_output(void)
{
	if (output[0] > 0)
		close(output[0]);
	if (pipe2(output, O_CLOEXEC) != 0)
		give_up("pipe: %s", strerror(errno));
}

/* Takes a line with a number from a resident. */
static uint64_t ask_resident(const struct peer *peer)
{
	char line[64];
	size_t bytes = 0;

	if (write(peer->ask, "\n", 1) != 1)
		give_up("%s: write: %s", peer->label, strerror(errno));
	while (bytes < sizeof line - 1) {
		ssize_t more = read(peer->answer, line + bytes, sizeof line - 1 - bytes);

		if (more <= 0)
			give_up("%s: ended without an answer", peer->label);
		bytes += (size_t)more;
		if (line[bytes - 1] == '\n')
			break;
	}
	line[bytes] = '\0';
	uint64_t ns = strtoull(line, NULL, 10);
	if (!ns)
		give_up("%s: answered `%s`", peer->label, line);
	return ns;
}

static void start_resident(struct peer *peer)
{
	int to[2], from[2];
	pid_t parent = getpid();

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
		give_up("pipe: %s", strerror(errno));
	pid_t child = fork();
	if (child < 0)
		give_up("fork: %s", strerror(errno));
	if (child == 0) {
		if (dup2(to[0], 0) < 0 || dup2(from[1], 1) < 0 || syscall(SYS_setgroups, 1, &caller_group) != 0 ||
		    syscall(SYS_setresgid, caller_gid, caller_gid, caller_gid) != 0 ||
		    syscall(SYS_setresuid, caller_uid, caller_uid, caller_uid) != 0 ||
		    prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
			_exit(126);
		execve(peer->argv[0], peer->argv, environment);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	peer->ask = to[1];
	peer->answer = from[0];
}

static struct cost run(struct peer *peer)
{
	static char text[4097];
	volatile int failure = 0;
	struct rusage usage;
	uint64_t first = 0;
	int status;

	if (peer->before)
		prepare(peer);
	if (peer->resident)
		return (struct cost){ .ns = ask_resident(peer) };
	int input = open(peer->input, O_RDONLY | O_CLOEXEC);
	if (input < 0)
		give_up("%s: %s", peer->input, strerror(errno));
	if (policy_place)
		place_policy(peer);
	if (output_is_read)
		fresh_output();
	uint64_t start = now_ns();
	pid_t child = start_peer(peer, input, &failure);
	if (output_is_read) {
		close(output[1]);
		memset(text, 0, sizeof text);
		first = read_output(output[0], text, sizeof text - 1);
	}
	while (wait4(child, &status, 0, &usage) < 0)
		if (errno != EINTR)
			give_up("wait4: %s", strerror(errno));
	uint64_t ns = now_ns() - start;
	close(input);

	const char *words = output_is_read ? text : said();
	if (failure)
		give_up("%s: cannot start `%s`: %s", peer->label, peer->argv[0], strerror(failure));
	if (WIFSIGNALED(status))
		give_up("%s: killed by signal %d (%s)\n%s", peer->label, WTERMSIG(status), strsignal(WTERMSIG(status)), words);
	if (WEXITSTATUS(status) != peer->status)
		give_up("%s: exit status %d\n%s", peer->label, WEXITSTATUS(status), words);
	if (usage.ru_maxrss > peer->peak_kib)
		peer->peak_kib = usage.ru_maxrss;
	return (struct cost){
		.ns = ns,
		.first_ns = first ? first - start : 0,
		.switches = (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw),
		.faults = (uint64_t)(usage.ru_minflt + usage.ru_majflt),
	};
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of sorted values: the smallest that at least `percent` of all do not exceed. */
static uint64_t percentile(const uint64_t *values, size_t percent)
{
	size_t rank = (rounds * percent + 99) / 100;

	return values[rank ? rank - 1 : 0];
}

static const struct peer *labelled(const char *label)
{
	for (size_t i = 0; i < peer_count; i++)
		if (strcmp(peers[i].label, label) == 0)
			return &peers[i];
	return NULL;
}

/* In microseconds, or where the output is read in milliseconds. */
static void print_time(uint64_t ns)
{
	if (output_is_read)
		printf(" %.2f |", (double)ns / 1e6);
	else
		printf(" %.0f |", (double)ns / 1e3);
}

static void print_header(void)
{
	const char *unit = output_is_read ? "ms" : "µs";

	printf("| program | median %s | p95 %s | minimum %s |", unit, unit, unit);
	if (output_is_read)
		fputs(" first reply ms |", stdout);
	for (size_t r = 0; r < ratio_count; r++)
		printf(" × %s |", ratio_to[r]);
	fputs(" context switches | page faults | peak KiB |\n|---|--:|--:|--:|", stdout);
	for (size_t r = 0; r < ratio_count + (output_is_read != 0); r++)
		fputs("--:|", stdout);
	fputs("--:|--:|--:|\n", stdout);
}

static void print_table(void)
{
	for (size_t i = 0; i < peer_count; i++) {
		uint64_t *all[] = { peers[i].ns, peers[i].first_ns, peers[i].switches, peers[i].faults };

		for (size_t n = 0; n < sizeof all / sizeof *all; n++)
			qsort(all[n], rounds, sizeof **all, by_size);
	}
	print_header();
	for (size_t i = 0; i < peer_count; i++) {
		const struct peer *peer = &peers[i];
		uint64_t median = percentile(peer->ns, 50);

		printf("| %s |", peer->label);
		print_time(median);
		print_time(percentile(peer->ns, 95));
		print_time(peer->ns[0]);
		if (output_is_read && percentile(peer->first_ns, 50))
			print_time(percentile(peer->first_ns, 50));
		else if (output_is_read)
			fputs(" – |", stdout); /* wrote nothing */
		for (size_t r = 0; r < ratio_count; r++) {
			const struct peer *other = labelled(ratio_to[r]);

			if (other)
				printf(" %.2f |", (double)median / (double)percentile(other->ns, 50));
			else
				fputs(" – |", stdout); /* left out of this run */
		}
		if (peer->resident)
			puts(" – | – | – |"); /* measures its children itself */
		else
			printf(" %" PRIu64 " | %" PRIu64 " | %ld |\n", percentile(peer->switches, 50),
			       percentile(peer->faults, 50), peer->peak_kib);
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
		else if (strcmp(option, "--output") == 0) {
			output_is_shown = strcmp(value, "shown") == 0;
			output_is_read = output_is_shown || strcmp(value, "read") == 0;
			if (!output_is_read && strcmp(value, "kept") != 0)
				give_up("`--output` takes `kept`, `read` or `shown`");
		} else
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
			give_up("`%s`: expected LABEL root|caller[=STATUS]|resident STDIN PROGRAM ARGUMENT... ';'", at[0]);
		peer->label = at[0];
		char *status = strchr(at[1], '=');
		if (status)
			*status++ = '\0';
		peer->status = status ? atoi(status) : 0;
		peer->resident = strcmp(at[1], "resident") == 0;
		peer->as_caller = peer->resident || strcmp(at[1], "caller") == 0;
		if (!peer->as_caller && strcmp(at[1], "root") != 0)
			give_up("`%s` is none of `root`, `caller` and `resident`", at[1]);
		if (peer->as_caller && !caller_uid)
			give_up("%s: runs as the caller, but there is no `--caller`", peer->label);
		peer->input = at[2];
		at += 3;
		if (strcmp(*at, "--before") == 0) {
			peer->before = ++at;
			while (*at && strcmp(*at, ",") != 0)
				at++;
			if (!*at || !at[1])
				give_up("%s: the command before it has no `,` at its end, or none follows", peer->label);
			*at++ = NULL;
		}
		peer->argv = at;
		for (; *at && strcmp(*at, ";") != 0; at++)
			;
		if (!*at)
			give_up("%s: the command has no `;` at its end", peer->label);
		*at++ = NULL;
		peer->ns = calloc(4 * rounds, sizeof *peer->ns);
		if (!peer->ns)
			give_up("out of memory");
		peer->first_ns = peer->ns + rounds;
		peer->switches = peer->first_ns + rounds;
		peer->faults = peer->switches + rounds;
	}
	if (!peer_count)
		give_up("no program to measure");
}

static void keep(struct peer *peer, size_t round, struct cost cost)
{
	peer->ns[round] = cost.ns;
	peer->first_ns[round] = cost.first_ns;
	peer->switches[round] = cost.switches;
	peer->faults[round] = cost.faults;
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
	for (size_t p = 0; p < peer_count; p++)
		if (peers[p].resident)
			start_resident(&peers[p]);
	for (size_t i = 0; i < warmup; i++)
		for (size_t p = 0; p < peer_count; p++)
			run(&peers[p]);
	for (size_t i = 0; i < rounds; i++)
		for (size_t p = 0; p < peer_count; p++)
			keep(&peers[p], i, run(&peers[p]));
	for (size_t i = 0; i < trail_count; i++)
		close_trail(&trails[i]);
	if (!output_is_shown)
		print_table();
	return fflush(stdout) == 0 ? 0 : 1;
}
