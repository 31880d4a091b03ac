// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * The confined floor of the benchmark: the least that a program can do to raise a link in a named network namespace as the
 * broker raises it, with every defence of the broker's.
 *
 *     confined NETNS LINK
 *
 * Setuid root, started by the caller, a request on descriptor 0. It does what the broker does, in the broker's order, each
 * step by one system call where one is enough: it arms the alarm, examines and closes descriptors, resets signals, timers
 * and limits, checks /proc, finds the caller, becomes the system user, connects to the trail, walks to the compiled policy
 * and reads it, gives up capabilities, enters the first filter, reads the request, writes a record, enters the namespace,
 * looks the link up, gives up the rest, enters Landlock and the second filter, looks the link up again, changes it, writes
 * the second record, and replies. Each step is checked, and a failure ends the process.
 *
 * It has no parser and no judge: the request and the policy are read and not looked at, and what to change is in its
 * arguments. It must therefore never be installed. What the broker costs above this program is what its parser, its judge
 * and its language cost.
 *
 * The filters have the lines of the broker's own (src/stage/filter.rs) as they were when this was written, and like the
 * broker's they are built when the program runs, as a tree: about 180 instructions and about 60. Linked statically with musl.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Newer than the headers of the oldest system that this is built on. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif
/* struct open_how and RESOLVE_NO_XDEV (linux/openat2.h), struct landlock_ruleset_attr as of ABI 6 (linux/landlock.h). */
struct how { uint64_t flags, mode, resolve; };
struct domain { uint64_t files, net, scopes; };
enum { NO_XDEV = 0x01 };
enum { PROC_MAGIC = 0x9fa0, NSFS = 0x6e736673 };
#if defined(__x86_64__)
enum { ARCHITECTURE = 0xc000003e, LARGE = 0100000 };
#elif defined(__aarch64__)
enum { ARCHITECTURE = 0xc00000b7, LARGE = 0400000 };
#elif defined(__riscv) && __riscv_xlen == 64
enum { ARCHITECTURE = 0xc00000f3, LARGE = 0400000 };
#else
#error "no filter for this architecture"
#endif
#ifdef SYS_poll
enum { POLL = SYS_poll };
#else
enum { POLL = SYS_ppoll };
#endif

static const uint64_t ADMINS = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN;
static struct timespec began;
static char id[33];

static void __attribute__((noreturn)) failed(const char *step)
{
	char line[256];
	int length = snprintf(line, sizeof line, "confined: %s: %s\n", step, strerror(errno));

	if (write(2, line, (size_t)length) < 0)
		_exit(74);
	_exit(71);
}

static void must(int holds, const char *step)
{
	if (!holds)
		failed(step);
}

/* --- inherited --- */

static void examine(int descriptor, int access)
{
	struct stat what;
	struct statfs at;
	int flags;

	must(fstat(descriptor, &what) == 0, "descriptor");
	if (S_ISREG(what.st_mode))
		must(fstatfs(descriptor, &at) == 0, "file system of a descriptor");
	else
		must(S_ISFIFO(what.st_mode) || S_ISSOCK(what.st_mode) || S_ISCHR(what.st_mode), "kind of a descriptor");
	flags = fcntl(descriptor, F_GETFL);
	must(flags >= 0 && ((flags & O_ACCMODE) == access || (flags & O_ACCMODE) == O_RDWR), "access of a descriptor");
}

/* A socket would need a look at who listens at its other end. The benchmark gives none. */
static void refuse_socket(int descriptor)
{
	struct sockaddr_un peer;
	socklen_t length = sizeof peer;

	must(getpeername(descriptor, (struct sockaddr *)&peer, &length) != 0 && errno == ENOTSOCK, "socket");
}

static void take(void)
{
	static const int ignored[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ };
	struct sigaction action = { .sa_handler = SIG_DFL };
	struct itimerval never = { 0 };
	struct rlimit none = { 0, 0 };
	unsigned char random[16];
	sigset_t empty;

	alarm(30);
	must(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
	sigemptyset(&empty);
	must(sigprocmask(SIG_SETMASK, &empty, NULL) == 0, "sigprocmask");
	examine(2, O_WRONLY);
	refuse_socket(2);
	examine(0, O_RDONLY);
	examine(1, O_WRONLY);
	must(syscall(SYS_close_range, 3, ~0U, 0) == 0, "close_range");
	must(setitimer(ITIMER_VIRTUAL, &never, NULL) == 0 && setitimer(ITIMER_PROF, &never, NULL) == 0, "setitimer");
	must(prctl(PR_SET_TIMERSLACK, 50000, 0, 0, 0) == 0, "timer slack");
	action.sa_handler = SIG_IGN;
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		must(sigaction(ignored[i], &action, NULL) == 0, "sigaction");
	must(setrlimit(RLIMIT_CORE, &none) == 0, "setrlimit");
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "dumpable");
	umask(077);
	must(chdir("/") == 0, "chdir");
	must(getrandom(random, sizeof random, 0) == sizeof random, "getrandom");
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	clock_gettime(CLOCK_MONOTONIC, &began);
}

/* --- the caller and the system user --- */

static void require_identity(int proc, const char *path)
{
	struct how how = { .flags = O_RDONLY | O_CLOEXEC, .resolve = NO_XDEV };
	char map[128];
	unsigned inside, outside, count;
	int file = (int)syscall(SYS_openat2, proc, path, &how, sizeof how);
	ssize_t bytes = file < 0 ? -1 : read(file, map, sizeof map - 1);

	must(bytes > 0, path);
	map[bytes] = '\0';
	must(sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && !inside && !outside && count == ~0U, path);
	close(file);
}

static void set_capabilities(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, 0 },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), 0 },
	};

	must(syscall(SYS_capset, &header, data) == 0, "capset");
}

static uint64_t capabilities(uint64_t *effective)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data) == 0, "capget");
	must(data[0].inheritable == 0 && data[1].inheritable == 0, "inheritable capabilities");
	*effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

static void keep_only(uint64_t effective, uint64_t permitted)
{
	uint64_t is;

	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "ambient capabilities");
	set_capabilities(effective, permitted);
	must(capabilities(&is) == permitted && is == effective, "capabilities read back");
}

/* The raw calls: a libc's own change the ids of all threads. */
static void become(uid_t uid, gid_t gid, uid_t caller)
{
	const uint64_t needed = ADMINS | 1 << CAP_SETUID | 1 << CAP_SETGID;
	uint64_t effective, held = capabilities(&effective);
	uid_t uids[3];
	gid_t gids[3];

	must(caller != uid && (held & needed) == needed, "setuid bit");
	set_capabilities(1 << CAP_SETUID | 1 << CAP_SETGID, held);
	must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "keepcaps");
	must(syscall(SYS_setgroups, 0, NULL) == 0, "setgroups");
	must(syscall(SYS_setresgid, gid, gid, gid) == 0, "setresgid");
	must(syscall(SYS_setresuid, uid, uid, uid) == 0, "setresuid");
	must(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0, "keepcaps");
	must(getresuid(&uids[0], &uids[1], &uids[2]) == 0 && uids[0] == uid && uids[1] == uid && uids[2] == uid, "uids");
	must(getresgid(&gids[0], &gids[1], &gids[2]) == 0 && gids[0] == gid && gids[1] == gid && gids[2] == gid, "gids");
	must(getgroups(0, NULL) == 0, "groups");
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "dumpable");
}

static int connect_trail(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
	struct timeval patience = { 1, 0 };
	int trail = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(trail >= 0 && connect(trail, (struct sockaddr *)&to, sizeof to) == 0, to.sun_path);
	must(setsockopt(trail, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0, "SO_SNDTIMEO");
	return trail;
}

static int open_policy(gid_t gid)
{
	static const char *const way[] = { "/", "var", "lib", "netbroker" };
	static char head[4096];
	struct stat what;
	int directory = AT_FDCWD, policy;

	for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
		int next = openat(directory, way[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		must(next >= 0 && fstat(next, &what) == 0 && what.st_uid == 0 && !(what.st_mode & 022), way[i]);
		if (directory >= 0)
			close(directory);
		directory = next;
	}
	policy = openat(directory, "policy", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	must(policy >= 0 && fstat(policy, &what) == 0, "policy");
	must(S_ISREG(what.st_mode) && what.st_uid == 0 && what.st_gid == gid && (what.st_mode & 07777) == 0640, "policy");
	close(directory);
	must(pread(policy, head, sizeof head, 0) > 0, "policy");
	return policy;
}

/* --- filters --- */

/* What one argument must be. FREE ends the list of a line. */
enum kind { FREE, IS, WITHOUT, AT_LEAST, IS_NOT, NULL_POINTER };
struct check { enum kind kind; unsigned argument; uint32_t value; };
/* One line allows a call where all its checks hold; a number may have several lines, next to each other. */
struct line { uint32_t number; struct check checks[4]; };

enum { MOST = 256, LEAF = 4, MOST_LINES = 64 };
static struct sock_filter program[MOST];
static size_t length;

static void emit(uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	must(length < MOST, "length of the filter");
	program[length++] = (struct sock_filter){ code, jt, jf, k };
}

static void load(unsigned argument, unsigned high)
{
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * argument + 4 * high));
}

/* A jump that fails goes to the end of its line: 255 until that place is known. */
static void emit_line(const struct line *line)
{
	size_t from = length;

	for (const struct check *check = line->checks; check < line->checks + 4 && check->kind != FREE; check++) {
		load(check->argument, 0);
		switch (check->kind) {
		case WITHOUT:
			emit(BPF_ALU | BPF_AND | BPF_K, 0, 0, check->value);
			emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 255, 0);
			break;
		case AT_LEAST:
			emit(BPF_JMP | BPF_JGE | BPF_K, 0, 255, check->value);
			break;
		case IS_NOT:
			emit(BPF_JMP | BPF_JEQ | BPF_K, 255, 0, check->value);
			break;
		case NULL_POINTER:
			emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 255, 0);
			load(check->argument, 1);
			emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 255, 0);
			break;
		default:
			emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 255, check->value);
		}
	}
	emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	for (size_t i = from; i < length; i++) {
		if (program[i].jt == 255)
			program[i].jt = (uint8_t)(length - i - 1);
		if (program[i].jf == 255)
			program[i].jf = (uint8_t)(length - i - 1);
	}
}

static size_t lines_of(const struct line *lines, size_t count)
{
	size_t same = 1;

	while (same < count && lines[same].number == lines[0].number)
		same++;
	return same;
}

/* Halves the numbers until few are left, because the kernel walks a filter once for every number when it is attached. */
static void emit_tree(const struct line *lines, size_t count, size_t numbers)
{
	size_t left = 0, at;

	if (numbers <= LEAF) {
		for (size_t i = 0; i < count; i += lines_of(lines + i, count - i)) {
			size_t same = lines_of(lines + i, count - i), jump = length;

			emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, lines[i].number);
			for (size_t n = 0; n < same; n++)
				emit_line(lines + i + n);
			if (lines[i + same - 1].checks[0].kind != FREE)
				emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
			program[jump].jf = (uint8_t)(length - jump - 1);
		}
		emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
		return;
	}
	for (size_t n = 0; n < numbers / 2; n++)
		left += lines_of(lines + left, count - left);
	at = length;
	emit(BPF_JMP | BPF_JGE | BPF_K, 0, 0, lines[left].number);
	emit_tree(lines, left, numbers / 2);
	must(length - at - 1 < 255, "length of a jump");
	program[at].jt = (uint8_t)(length - at - 1);
	emit_tree(lines + left, count - left, numbers - numbers / 2);
}

static void filter(const struct line *unsorted, size_t count)
{
	struct line lines[MOST_LINES];
	struct sock_fprog all = { 0, program };
	size_t numbers = 0;

	must(count <= MOST_LINES, "lines of the filter");
	for (size_t i = 0; i < count; i++) { /* in the order of their numbers */
		size_t at = i;

		for (; at && lines[at - 1].number > unsorted[i].number; at--)
			lines[at] = lines[at - 1];
		lines[at] = unsorted[i];
	}
	for (size_t i = 0; i < count; i += lines_of(lines + i, count - i))
		numbers++;
	length = 0;
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
	emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit_tree(lines, count, numbers);
	all.len = (unsigned short)length;
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) == 0, "filter");
}

#define LINES(...) (const struct line[]){ __VA_ARGS__ }, sizeof (const struct line[]){ __VA_ARGS__ } / sizeof(struct line)
#define MEMORY { { WITHOUT, 2, ~(uint32_t)(PROT_READ | PROT_WRITE) }, { WITHOUT, 3, ~(uint32_t)(MAP_PRIVATE | MAP_ANONYMOUS) } }
#define LAST_WORDS                                     \
	{ SYS_write, { { IS, 0, 1 } } },               \
	{ POLL, { { FREE, 0, 0 } } },                  \
	{ SYS_clock_gettime, { { IS, 0, CLOCK_MONOTONIC } } }, \
	{ SYS_brk, { { FREE, 0, 0 } } },               \
	{ SYS_munmap, { { FREE, 0, 0 } } },            \
	{ SYS_mmap, MEMORY },                          \
	{ SYS_mremap, { { IS, 3, MREMAP_MAYMOVE } } }, \
	{ SYS_restart_syscall, { { FREE, 0, 0 } } },   \
	{ SYS_exit_group, { { FREE, 0, 0 } } }

static void guard(int policy)
{
	const uint32_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	filter(LINES(
		LAST_WORDS,
		{ SYS_write, { { IS, 0, 2 } } },
		{ SYS_read, { { IS, 0, 0 } } },
		{ SYS_preadv2, { { IS, 0, 0 } } },
		{ SYS_recvfrom, { { WITHOUT, 3, ~(uint32_t)(MSG_PEEK | MSG_DONTWAIT) } } },
		{ SYS_recvmsg, { { IS, 0, 0 }, { WITHOUT, 2, ~(uint32_t)(MSG_PEEK | MSG_DONTWAIT) } } },
		{ SYS_sendto, { { NULL_POINTER, 4, 0 }, { WITHOUT, 3, ~(uint32_t)MSG_NOSIGNAL } } },
		{ SYS_pread64, { { IS, 0, (uint32_t)policy } } },
		{ SYS_openat, { { WITHOUT, 2, writing } } },
		{ SYS_fstat, { { FREE, 0, 0 } } },
		{ SYS_newfstatat, { { FREE, 0, 0 } } },
		{ SYS_fstatfs, { { FREE, 0, 0 } } },
		{ SYS_setns, { { IS, 1, CLONE_NEWNET } } },
		{ SYS_socket, { { IS, 0, AF_NETLINK }, { IS, 1, SOCK_RAW | SOCK_CLOEXEC }, { IS, 2, NETLINK_ROUTE } } },
		{ SYS_setsockopt, { { IS, 1, SOL_NETLINK }, { IS, 2, NETLINK_EXT_ACK } } },
		{ SYS_setsockopt, { { IS, 1, SOL_NETLINK }, { IS, 2, NETLINK_CAP_ACK } } },
		{ SYS_setsockopt, { { IS, 1, SOL_NETLINK }, { IS, 2, NETLINK_GET_STRICT_CHK } } },
		{ SYS_close, { { AT_LEAST, 0, 3 }, { IS_NOT, 0, (uint32_t)policy } } },
		{ SYS_capget, { { FREE, 0, 0 } } },
		{ SYS_capset, { { FREE, 0, 0 } } },
		{ SYS_prctl, { { IS, 0, PR_CAP_AMBIENT }, { IS, 1, PR_CAP_AMBIENT_CLEAR_ALL } } },
		{ SYS_prctl, { { IS, 0, PR_SET_NO_NEW_PRIVS }, { IS, 1, 1 } } },
		{ SYS_landlock_create_ruleset, { { FREE, 0, 0 } } },
		{ SYS_landlock_restrict_self, { { FREE, 0, 0 } } },
		{ SYS_seccomp, { { IS, 0, SECCOMP_SET_MODE_FILTER }, { IS, 1, 0 } } },
		{ SYS_getdents64, { { FREE, 0, 0 } } },
		{ SYS_lseek, { { NULL_POINTER, 1, 0 }, { IS, 2, SEEK_SET } } },
		{ SYS_fcntl, { { IS, 1, F_GETFL } } },
		{ SYS_fcntl, { { IS, 1, F_SETFD }, { IS, 2, FD_CLOEXEC } } }
	));
}

static void transact_only(int route, int trail)
{
	filter(LINES(
		LAST_WORDS,
		{ SYS_sendto, { { IS, 0, (uint32_t)trail }, { NULL_POINTER, 4, 0 } } },
		{ SYS_sendto, { { IS, 0, (uint32_t)route }, { NULL_POINTER, 4, 0 } } },
		{ SYS_recvfrom, { { IS, 0, (uint32_t)route } } }
	));
}

/* Every right that the kernel knows, up to ABI 7. Later ones are left out: the benchmark must build with older headers. */
static void landlock(void)
{
	struct domain all = { .files = (1 << 13) - 1 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */), rules;

	must(abi > 0, "landlock");
	if (abi >= 2)
		all.files |= 1 << 13; /* refer */
	if (abi >= 3)
		all.files |= 1 << 14; /* truncate */
	if (abi >= 5)
		all.files |= 1 << 15; /* ioctl of devices */
	if (abi >= 4)
		all.net = 3; /* bind, connect */
	if (abi >= 6)
		all.scopes = 3; /* abstract sockets, signals */
	rules = syscall(SYS_landlock_create_ruleset, &all, abi >= 6 ? sizeof all : abi >= 4 ? 16 : 8, 0);
	must(rules >= 0 && syscall(SYS_landlock_restrict_self, rules, 0) == 0, "landlock");
	close((int)rules);
}

/* --- the namespace, the link, the record --- */

struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[64];
};

static void attribute(struct request *request, unsigned short type, const void *value, size_t bytes)
{
	struct rtattr *at = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	at->rta_type = type;
	at->rta_len = (unsigned short)RTA_LENGTH(bytes);
	memcpy(RTA_DATA(at), value, bytes);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(at->rta_len);
}

/* Sends one request and reads until its acknowledgement; returns the index of the link that was shown before that, or 0. */
static int ask(int route, struct request *request)
{
	static uint32_t answer[2048];
	struct nlmsghdr *header = (struct nlmsghdr *)answer;
	int index = 0;

	must(send(route, request, request->header.nlmsg_len, 0) == (ssize_t)request->header.nlmsg_len, "send");
	for (;;) {
		ssize_t bytes = recv(route, answer, sizeof answer, 0);

		must(bytes >= (ssize_t)NLMSG_LENGTH(sizeof(struct ifinfomsg)), "answer");
		must(header->nlmsg_seq == request->header.nlmsg_seq, "sequence");
		if (header->nlmsg_type == NLMSG_ERROR) {
			errno = -((struct nlmsgerr *)NLMSG_DATA(header))->error;
			must(errno == 0, "kernel");
			return index;
		}
		index = ((struct ifinfomsg *)NLMSG_DATA(header))->ifi_index;
	}
}

static int look_up(int route, const char *link, uint32_t sequence)
{
	struct request request = {
		.header = { NLMSG_LENGTH(sizeof request.link), RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, 0 },
		.link = { .ifi_family = AF_UNSPEC },
	};
	uint32_t mask = RTEXT_FILTER_SKIP_STATS;

	attribute(&request, IFLA_IFNAME, link, strlen(link) + 1);
	attribute(&request, IFLA_EXT_MASK, &mask, sizeof mask);
	return ask(route, &request);
}

static void raise_link(int route, const char *link)
{
	struct request request = {
		.header = { NLMSG_LENGTH(sizeof request.link), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 3, 0 },
		.link = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP },
	};

	attribute(&request, IFLA_IFNAME, link, strlen(link) + 1);
	ask(route, &request);
}

static int enter(const char *netns, const struct stat *own, const struct stat *first)
{
	char path[512];
	struct stat what;
	struct statfs at;
	int namespace, route, on = 1;

	must(snprintf(path, sizeof path, "/run/netns/%s", netns) < (int)sizeof path, "path");
	namespace = openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	must(namespace >= 0 && fstatfs(namespace, &at) == 0 && at.f_type == NSFS && fstat(namespace, &what) == 0, path);
	must(what.st_ino != own->st_ino && what.st_ino != first->st_ino, "namespace of the host");
	set_capabilities(ADMINS, ADMINS);
	must(setns(namespace, CLONE_NEWNET) == 0, "setns");
	close(namespace);
	route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	must(route >= 0, "socket");
	must(setsockopt(route, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) == 0 &&
	     setsockopt(route, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) == 0 &&
	     setsockopt(route, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on) == 0, "setsockopt");
	return route;
}

static char record_text[4096];
static int record_bytes;

static void __attribute__((format(printf, 1, 2))) add(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	record_bytes += vsnprintf(record_text + record_bytes, sizeof record_text - (size_t)record_bytes, format, arguments);
	va_end(arguments);
	must(record_bytes < (int)sizeof record_text, "length of a record");
}

/* As long as the broker's own: a digest of zeros, the fields and a rule's name. */
static void record(int trail, const char *event, uid_t uid, gid_t gid, const struct stat *own, char **names)
{
	static const char digest[] = "0000000000000000000000000000000000000000000000000000000000000000";
	struct timespec now;
	long long us = -1;
	char fields[512];
	int is_outcome = strcmp(event, "outcome") == 0;

	if (is_outcome) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		us = (now.tv_sec - began.tv_sec) * 1000000LL + (now.tv_nsec - began.tv_nsec) / 1000;
	}
	snprintf(fields, sizeof fields, "{\"link\":\"%s\",\"netns\":\"%s\",\"up\":true}", names[1], names[0]);
	record_bytes = 0;
	add("MESSAGE=event=%s request=%s uid=%u gid=%u way=exec host_netns=net:[%llu] policy=%s call=Link.Set fields=%s "
	    "rule=alice-links-up", event, id, uid, gid, (unsigned long long)own->st_ino, digest, fields);
	if (is_outcome)
		add(" result=done duration_us=%lld", us);
	add("\nMESSAGE_ID=%s\nPRIORITY=6\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=netbroker\nNETBROKER_EVENT=%s\n"
	    "NETBROKER_REQUEST=%s\nNETBROKER_UID=%u\nNETBROKER_GID=%u\nNETBROKER_WAY=exec\nNETBROKER_HOST_NETNS=net:[%llu]\n"
	    "NETBROKER_POLICY=%s\nNETBROKER_CALL=Link.Set\nNETBROKER_FIELDS=%s\nNETBROKER_RULE=alice-links-up\n",
	    is_outcome ? "2b9d8c4f6e1a4b7c8d3f5a6e7b0c9d12" : "e6a3b1a0c5f14a5d9f0e7d4c2b8a1f36", event, id, uid, gid,
	    (unsigned long long)own->st_ino, digest, fields);
	if (is_outcome)
		add("NETBROKER_RESULT=done\nNETBROKER_DURATION_US=%lld\n", us);
	must(send(trail, record_text, (size_t)record_bytes, MSG_NOSIGNAL) == record_bytes, "trail");
}

int main(int argc, char **argv)
{
	static char request[8192];
	static const char reply[] = "{\"parameters\":{}}";
	struct stat run, user, own, first;
	struct statfs at;
	struct pollfd input = { .fd = 0, .events = POLLIN };

	if (argc != 3) {
		fputs("usage: confined NETNS LINK\n", stderr);
		return 65;
	}
	take();
	int proc = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(proc >= 0 && fstatfs(proc, &at) == 0 && at.f_type == PROC_MAGIC, "/proc");
	require_identity(proc, "self/uid_map");
	require_identity(proc, "self/gid_map");
	must(lstat("/run", &run) == 0 && run.st_uid == 0 && !(run.st_mode & 022), "/run");
	must(lstat("/run/netbroker", &user) == 0 && (user.st_mode & 07777) == 0755 && user.st_uid, "/run/netbroker");
	uid_t caller = getuid();
	gid_t group = getgid(), groups[64];
	must(getgroups(64, groups) >= 0, "groups");
	must(clearenv() == 0, "environment");
	refuse_socket(0);
	refuse_socket(1);
	must(fstatat(proc, "self/ns/net", &own, 0) == 0, "own namespace");
	if (fstatat(proc, "1/ns/net", &first, 0) != 0)
		first = own; /* not everybody may look at it */
	close(proc);
	become(user.st_uid, user.st_gid, caller);
	int trail = connect_trail();
	int policy = open_policy(user.st_gid);
	keep_only(0, ADMINS);
	guard(policy);

	must(poll(&input, 1, 10000) == 1 && read(0, request, sizeof request) > 0, "request");
	record(trail, "permitted", caller, group, &own, argv + 1);

	int route = enter(argv[1], &own, &first);
	int index = look_up(route, argv[2], 1);
	must(index > 0, "link");
	keep_only(1 << CAP_NET_ADMIN, 1 << CAP_NET_ADMIN);
	landlock();
	transact_only(route, trail);
	must(look_up(route, argv[2], 2) == index, "link, looked up again");
	raise_link(route, argv[2]);
	record(trail, "outcome", caller, group, &own, argv + 1);
	must(write(1, reply, sizeof reply) == sizeof reply, "reply");
	return 0;
}
