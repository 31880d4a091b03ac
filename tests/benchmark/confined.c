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
 * The steps are in defences.h. Linked statically with musl; its relocated tables become read-only, as the broker's do.
 */
#define PROGRAM "confined"
#include "defences.h"

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
	sigset_t empty;

	dl_iterate_phdr(protect, NULL);
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
	begin();
}

static void guard(int policy)
{
	const uint32_t POLICY = (uint32_t)policy;
	const struct sock_filter program[] = { GUARDED };

	filter(program, sizeof program / sizeof *program);
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

int main(int argc, char **argv)
{
	static char request[8192];
	static const char reply[] = "{\"parameters\":{}}";
	struct stat run, user, own, first;
	struct statfs at;
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char fields[512];

	if (argc != 3) {
		fputs("usage: confined NETNS LINK\n", stderr);
		return 65;
	}
	take();
	int proc = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(proc >= 0 && fstatfs(proc, &at) == 0 && at.f_type == PROC_MAGIC, "/proc");
	require_initial_user_namespace(proc);
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
	snprintf(fields, sizeof fields, "{\"link\":\"%s\",\"netns\":\"%s\",\"up\":true}", argv[2], argv[1]);
	record(trail, "permitted", "exec", caller, group, &own, fields);

	int route = enter(argv[1], &own, &first);
	int index = look_up(route, argv[2], 1);
	must(index > 0, "link");
	keep_only(1 << CAP_NET_ADMIN, 1 << CAP_NET_ADMIN);
	landlock();
	transact_only(route, trail);
	must(look_up(route, argv[2], 2) == index, "link, looked up again");
	raise_link(route, argv[2]);
	record(trail, "outcome", "exec", caller, group, &own, fields);
	must(write(1, reply, sizeof reply) == sizeof reply, "reply");
	return 0;
}
