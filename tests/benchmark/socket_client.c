// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * Clients that make calls at the same time, for `tests/bench --socket`.
 *
 *     socket_client [--clients N,…] [--rounds N] [--warmup N] [--block MS] [--calls N] [--caller UID:GID:GROUP]
 *                   [--flooder UID:GID:GROUP] [--trail SOCKET] --request FILE WAY...
 *
 * A WAY is one of these, and each has N clients, which are processes:
 *
 *     LABEL kept|each SOCKET [--flood FILE] ';'   calls over a Unix socket: on one connection, or on a connection for each call
 *     LABEL exec PROGRAM ARGUMENT... ';'          starts the program for each call, with the request on descriptor 0
 *     LABEL run PROGRAM ARGUMENT... ';'           starts the program for each call; it must end with status 0
 *     LABEL resident PROGRAM ARGUMENT... ';'      a client that stays: see below
 *
 * In each round every way has a block of so many milliseconds, one after another (A B C A B C …), because a machine's speed
 * drifts. With --calls, a block ends after so many calls of each client instead. All clients of a block begin together. A
 * client ends the call that it has begun. A reply that is not the success ends the benchmark.
 *
 * For each way it prints a line with these fields, separated by tabs: label, clients, calls, calls per second, the median and
 * the 99th percentile of a call in microseconds, and calls per second of the flood.
 *
 * With --flood another user sends the request in FILE again and again, on FLOODING connections, during the block. It waits for
 * each reply, and does not look at it.
 *
 * A resident is started once, as the caller. It writes a line when it is ready. For each line on descriptor 0, with the number
 * of calls at most and the nanoseconds, it makes calls, and writes 64-bit numbers to descriptor 1: how many, when it began and
 * ended (CLOCK_MONOTONIC), and the nanoseconds of each call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WAYS = 32, MOST_CLIENTS = 64, MOST_COUNTS = 8, MOST_CALLS = 1 << 20, FLOODING = 16 };
static const char SUCCESS[] = "{\"parameters\":{}}"; /* ends with NUL, as on the wire */

struct ids {
	uid_t uid;
	gid_t gid, group;
};

/* What a client did in a block. Shared with the process that it is. */
struct done {
	uint64_t calls, began, ended;
	uint64_t ns[MOST_CALLS];
};

struct resident {
	int ask, answer;
};

struct way {
	const char *label, *socket, *flood;
	char **argv;
	void (*call)(const struct way *);
	struct resident residents[MOST_CLIENTS];
	uint64_t *ns; /* of all calls of all rounds */
	size_t calls, room;
	uint64_t flooded, elapsed;
};

static struct way ways[MOST_WAYS];
static size_t way_count;
static size_t counts[MOST_COUNTS], count_count;
static struct done *done; /* one for each client */
static uint64_t *flooded; /* calls of the flood; shared with it */
static struct ids caller, flooder;
static char request[8192], flood_request[8192];
static size_t request_bytes, flood_bytes;
static size_t rounds = 8, warmup = 1, block_ms = 250, most_calls;
static int connection = -1; /* of a client that keeps it */

static char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TMPDIR=/run/bench/tmp",
				     "PYTHONWARNINGS=ignore", NULL };

static void __attribute__((noreturn, format(printf, 1, 2))) give_up(const char *format, ...)
{
	va_list arguments;

	fputs("socket_client: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1); /* what this process has started ends with it */
}

#include "trail.h"

static struct trail trail;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		give_up("mmap: %s", strerror(errno));
	return at;
}

/* Forks a process that ends with this one. */
static pid_t fork_client(const struct ids *ids)
{
	pid_t parent = getpid(), child = fork();

	if (child < 0)
		give_up("fork: %s", strerror(errno));
	if (child > 0)
		return child;
	/* No controlling terminal: sudo would make a pty where there is one. The change of ids resets the signal. */
	if (setsid() < 0 || syscall(SYS_setgroups, 1, &ids->group) != 0 ||
	    syscall(SYS_setresgid, ids->gid, ids->gid, ids->gid) != 0 ||
	    syscall(SYS_setresuid, ids->uid, ids->uid, ids->uid) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
	    getppid() != parent)
		give_up("start a client: %s", strerror(errno));
	return 0;
}

/* --- one call --- */

static int connect_to(const char *path, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	strcpy(address.sun_path, path); /* its length was checked */
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (!flags)
		give_up("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void require_success(const struct way *way, const char *reply, size_t bytes)
{
	if (bytes != sizeof SUCCESS || memcmp(reply, SUCCESS, bytes) != 0)
		give_up("%s: replied `%.*s`", way->label, (int)bytes, reply);
}

static void ask(const struct way *way, int fd)
{
	char reply[4096];
	size_t all = 0;

	if (send(fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
		give_up("%s: send: %s", way->label, strerror(errno));
	do {
		ssize_t bytes = recv(fd, reply + all, sizeof reply - all, 0);

		if (bytes <= 0)
			give_up("%s: no reply: %s", way->label, bytes ? strerror(errno) : "the connection was closed");
		all += (size_t)bytes;
	} while (reply[all - 1] != '\0' && all < sizeof reply);
	require_success(way, reply, all);
}

static void call_kept(const struct way *way)
{
	ask(way, connection);
}

static void call_each(const struct way *way)
{
	int fd = connect_to(way->socket, 0);

	ask(way, fd);
	close(fd);
}

static pid_t spawn(const struct way *way, posix_spawn_file_actions_t *actions)
{
	pid_t child;

	errno = posix_spawn(&child, way->argv[0], actions, NULL, way->argv, environment);
	if (errno != 0)
		give_up("%s: `%s`: %s", way->label, way->argv[0], strerror(errno));
	posix_spawn_file_actions_destroy(actions);
	return child;
}

static void require_end(const struct way *way, pid_t child, const char *text)
{
	int status;

	if (waitpid(child, &status, 0) != child || status != 0)
		give_up("%s: status %#x: %s", way->label, (unsigned)status, text);
}

static void call_exec(const struct way *way)
{
	int to[2], from[2];
	char reply[4096];
	ssize_t bytes;
	size_t all = 0;
	posix_spawn_file_actions_t actions;

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 ||
	    write(to[1], request, request_bytes) != (ssize_t)request_bytes)
		give_up("%s: pipe: %s", way->label, strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	pid_t child = spawn(way, &actions);
	close(to[0]);
	close(to[1]);
	close(from[1]);
	while (all < sizeof reply - 1 && (bytes = read(from[0], reply + all, sizeof reply - 1 - all)) > 0)
		all += (size_t)bytes;
	close(from[0]);
	reply[all] = '\0';
	require_end(way, child, reply);
	require_success(way, reply, all);
}

static void call_run(const struct way *way)
{
	posix_spawn_file_actions_t actions;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	require_end(way, spawn(way, &actions), "see above");
}

/* --- a block of calls --- */

static uint64_t most(void)
{
	return most_calls ? most_calls : MOST_CALLS;
}

static uint64_t longest_ns(void)
{
	return most_calls ? UINT64_MAX / 4 : (uint64_t)block_ms * 1000000u;
}

static void __attribute__((noreturn)) be_client(const struct way *way, struct done *mine, int ready, int go)
{
	char byte = 0;

	if (way->call == call_kept)
		connection = connect_to(way->socket, 0);
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0)
		give_up("start: %s", strerror(errno));
	uint64_t at = mine->began = now_ns(), end = at + longest_ns();
	for (mine->calls = 0; mine->calls < most() && at < end; mine->calls++) {
		way->call(way);
		uint64_t later = now_ns();
		mine->ns[mine->calls] = later - at;
		at = later;
	}
	mine->ended = at;
	_exit(0);
}

static void run_clients(const struct way *way, size_t clients)
{
	int ready[2], go[2], status;
	pid_t pids[MOST_CLIENTS];
	char byte;

	if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0)
		give_up("pipe: %s", strerror(errno));
	for (size_t i = 0; i < clients; i++) {
		pids[i] = fork_client(&caller);
		if (pids[i] == 0) {
			close(go[1]);
			close(ready[0]);
			be_client(way, &done[i], ready[1], go[0]);
		}
	}
	close(ready[1]);
	for (size_t i = 0; i < clients; i++)
		if (read(ready[0], &byte, 1) != 1)
			give_up("%s: a client did not start", way->label);
	close(go[1]);
	for (size_t i = 0; i < clients; i++)
		if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
			give_up("%s: a client failed", way->label);
	close(ready[0]);
	close(go[0]);
}

static void take(const struct way *way, int from, void *into, size_t bytes)
{
	for (char *at = into; bytes;) {
		ssize_t got = read(from, at, bytes);

		if (got <= 0)
			give_up("%s: ended without an answer", way->label);
		at += got;
		bytes -= (size_t)got;
	}
}

static void ask_residents(const struct way *way, size_t clients)
{
	char line[64];
	int length = snprintf(line, sizeof line, "%" PRIu64 " %" PRIu64 "\n", most(), longest_ns());

	for (size_t i = 0; i < clients; i++)
		if (write(way->residents[i].ask, line, (size_t)length) != length)
			give_up("%s: write: %s", way->label, strerror(errno));
	for (size_t i = 0; i < clients; i++) {
		take(way, way->residents[i].answer, &done[i], offsetof(struct done, ns));
		if (done[i].calls > MOST_CALLS)
			give_up("%s: %" PRIu64 " calls", way->label, done[i].calls);
		take(way, way->residents[i].answer, done[i].ns, done[i].calls * sizeof *done[i].ns);
	}
}

static void start_resident(const struct way *way, struct resident *resident)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
		give_up("pipe: %s", strerror(errno));
	if (fork_client(&caller) == 0) {
		/* It ends when its descriptor 0 does, so that it can end what it has started as root. */
		if (dup2(to[0], 0) == 0 && dup2(from[1], 1) == 1 && prctl(PR_SET_PDEATHSIG, 0) == 0)
			execve(way->argv[0], way->argv, environment);
		give_up("%s: `%s`: %s", way->label, way->argv[0], strerror(errno));
	}
	close(to[0]);
	close(from[1]);
	*resident = (struct resident){ .ask = to[1], .answer = from[0] };
}

/* --- the flood --- */

static void __attribute__((noreturn)) be_flood(const char *path)
{
	struct pollfd all[FLOODING];
	char reply[65536];

	for (size_t i = 0; i < FLOODING; i++)
		all[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	for (;;) {
		for (size_t i = 0; i < FLOODING; i++) {
			if (all[i].fd < 0) {
				all[i].fd = connect_to(path, SOCK_NONBLOCK);
			} else if (all[i].revents) {
				ssize_t bytes = recv(all[i].fd, reply, sizeof reply, 0);

				if (bytes > 0 && reply[bytes - 1] != '\0')
					continue;
				if (bytes > 0) {
					++*flooded;
				} else {
					close(all[i].fd);
					all[i].fd = -1; /* it connects again in the next turn */
					continue;
				}
			} else {
				continue;
			}
			if (all[i].fd >= 0 && send(all[i].fd, flood_request, flood_bytes, MSG_NOSIGNAL) < 0) {
				close(all[i].fd);
				all[i].fd = -1;
			}
		}
		poll(all, FLOODING, 1);
	}
}

static pid_t start_flood(const struct way *way)
{
	pid_t pid;

	*flooded = 0;
	if (!way->flood)
		return 0;
	pid = fork_client(&flooder);
	if (pid == 0)
		be_flood(way->socket);
	usleep(50000); /* until it is under way */
	*flooded = 0;
	return pid;
}

static void end_flood(pid_t pid)
{
	if (!pid)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	usleep(50000); /* until what it has sent is answered */
}

/* --- all blocks --- */

static size_t read_file(const char *path, char *into, size_t room)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t bytes = file < 0 ? -1 : read(file, into, room);

	if (bytes <= 0)
		give_up("%s: %s", path, strerror(errno));
	close(file);
	return (size_t)bytes;
}

static void keep(struct way *way, size_t clients)
{
	uint64_t began = UINT64_MAX, ended = 0;

	for (size_t i = 0; i < clients; i++) {
		if (way->calls + done[i].calls > way->room) {
			way->room = 2 * (way->calls + done[i].calls);
			way->ns = realloc(way->ns, way->room * sizeof *way->ns);
			if (!way->ns)
				give_up("out of memory");
		}
		memcpy(way->ns + way->calls, done[i].ns, done[i].calls * sizeof *way->ns);
		way->calls += done[i].calls;
		began = done[i].began < began ? done[i].began : began;
		ended = done[i].ended > ended ? done[i].ended : ended;
	}
	way->elapsed += ended - began;
	way->flooded += *flooded;
}

static void run_block(struct way *way, size_t clients, int counts_in)
{
	if (way->flood)
		flood_bytes = read_file(way->flood, flood_request, sizeof flood_request);
	pid_t flood = start_flood(way);
	if (way->call)
		run_clients(way, clients);
	else
		ask_residents(way, clients);
	if (counts_in)
		keep(way, clients);
	end_flood(flood);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of sorted values: the smallest that at least `percent` of all do not exceed. */
static double percentile_us(const struct way *way, size_t percent)
{
	size_t rank = (way->calls * percent + 99) / 100;

	return (double)way->ns[rank ? rank - 1 : 0] / 1e3;
}

static void print_and_forget(struct way *way, size_t clients)
{
	double seconds = (double)way->elapsed / 1e9;

	qsort(way->ns, way->calls, sizeof *way->ns, by_size);
	printf("%s\t%zu\t%zu\t%.1f\t%.1f\t%.1f\t%.1f\n", way->label, clients, way->calls, (double)way->calls / seconds,
	       percentile_us(way, 50), percentile_us(way, 99), (double)way->flooded / seconds);
	way->calls = 0;
	way->flooded = way->elapsed = 0;
}

/* --- the command line --- */

static size_t number(const char *option, const char *text, size_t least, size_t greatest)
{
	char *end;
	unsigned long value = text ? strtoul(text, &end, 10) : 0;

	if (!text || *text < '0' || *text > '9' || (*end && *end != ',') || value < least || value > greatest)
		give_up("`%s` takes a number from %zu to %zu", option, least, greatest);
	return value;
}

static void parse_ids(const char *option, const char *text, struct ids *ids)
{
	if (sscanf(text, "%u:%u:%u", &ids->uid, &ids->gid, &ids->group) != 3 || !ids->uid)
		give_up("`%s` takes UID:GID:GROUP, not root's", option);
}

static char **parse_options(char **at)
{
	for (; *at && strncmp(*at, "--", 2) == 0; at += 2) {
		const char *option = at[0], *value = at[1];

		if (!value)
			give_up("`%s` takes a value", option);
		if (strcmp(option, "--clients") == 0)
			for (; value && count_count < MOST_COUNTS; value = strchr(value, ',') ? strchr(value, ',') + 1 : NULL)
				counts[count_count++] = number(option, value, 1, MOST_CLIENTS);
		else if (strcmp(option, "--rounds") == 0)
			rounds = number(option, value, 1, 1000);
		else if (strcmp(option, "--warmup") == 0)
			warmup = number(option, value, 0, 1000);
		else if (strcmp(option, "--block") == 0)
			block_ms = number(option, value, 1, 60000);
		else if (strcmp(option, "--calls") == 0)
			most_calls = number(option, value, 1, MOST_CALLS);
		else if (strcmp(option, "--caller") == 0)
			parse_ids(option, value, &caller);
		else if (strcmp(option, "--flooder") == 0)
			parse_ids(option, value, &flooder);
		else if (strcmp(option, "--trail") == 0)
			trail.path = value;
		else if (strcmp(option, "--request") == 0)
			request_bytes = read_file(value, request, sizeof request);
		else
			give_up("unknown option `%s`", option);
	}
	if (!caller.uid || !request_bytes)
		give_up("`--caller` or `--request` is missing");
	if (!count_count)
		counts[count_count++] = 1;
	return at;
}

static void parse_way(struct way *way, const char *kind)
{
	static const struct {
		const char *kind;
		void (*call)(const struct way *);
	} kinds[] = { { "kept", call_kept }, { "each", call_each }, { "exec", call_exec }, { "run", call_run }, { "resident", NULL } };
	size_t i = 0;

	while (i < sizeof kinds / sizeof *kinds && strcmp(kind, kinds[i].kind) != 0)
		i++;
	if (i == sizeof kinds / sizeof *kinds)
		give_up("%s: unknown kind `%s`", way->label, kind);
	way->call = kinds[i].call;
	if (way->call != call_kept && way->call != call_each)
		return;
	way->socket = way->argv[0];
	if (strlen(way->socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		give_up("`%s` is too long for a socket", way->socket);
	if (way->argv[1] && strcmp(way->argv[1], "--flood") == 0)
		way->flood = way->argv[2];
	if (way->flood && !flooder.uid)
		give_up("%s: there is no `--flooder`", way->label);
}

static void parse_ways(char **at)
{
	while (*at) {
		struct way *way = &ways[way_count];

		if (way_count++ == MOST_WAYS)
			give_up("more than %d ways", MOST_WAYS);
		if (!at[1] || !at[2])
			give_up("`%s`: expected LABEL KIND SOCKET|PROGRAM... ';'", at[0]);
		way->label = at[0];
		way->argv = at + 2;
		const char *kind = at[1];
		for (at += 2; *at && strcmp(*at, ";") != 0; at++)
			;
		if (!*at)
			give_up("%s: no `;` at its end", way->label);
		*at++ = NULL;
		parse_way(way, kind);
	}
}

static void start_residents(void)
{
	size_t greatest = 0;
	char line[8];

	for (size_t i = 0; i < count_count; i++)
		greatest = counts[i] > greatest ? counts[i] : greatest;
	done = shared(greatest * sizeof *done);
	for (size_t w = 0; w < way_count; w++)
		for (size_t i = 0; !ways[w].call && i < greatest; i++)
			start_resident(&ways[w], &ways[w].residents[i]);
	for (size_t w = 0; w < way_count; w++)
		for (size_t i = 0; !ways[w].call && i < greatest; i++)
			take(&ways[w], ways[w].residents[i].answer, line, strlen("ready\n"));
}

/* Residents see the end of descriptor 0, and end whatever they have started. */
static void end_residents(void)
{
	for (size_t w = 0; w < way_count; w++)
		for (size_t i = 0; i < MOST_CLIENTS && ways[w].residents[i].ask; i++)
			close(ways[w].residents[i].ask);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

int main(int argc, char **argv)
{
	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_ways(parse_options(argv + 1));
	flooded = shared(sizeof *flooded);
	if (trail.path)
		open_trail(&trail);
	start_residents();
	for (size_t c = 0; c < count_count; c++) {
		for (size_t round = 0; round < warmup + rounds; round++)
			for (size_t w = 0; w < way_count; w++)
				run_block(&ways[w], counts[c], round >= warmup);
		for (size_t w = 0; w < way_count; w++)
			print_and_forget(&ways[w], counts[c]);
	}
	if (trail.path)
		close_trail(&trail);
	end_residents();
	return fflush(stdout) == 0 ? 0 : 1;
}
