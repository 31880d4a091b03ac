// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * What a resident broker costs at least: a throw-away prototype of one in C. Its children carry every defence of the broker
 * and have no parser and no judge.
 *
 *     resident SOCKET GROUP NETNS LINK MTU
 *
 * Started by root. It listens on SOCKET, for the members of GROUP, becomes the system user, and keeps two capabilities for its
 * children. It accepts connections, waits until one is readable, and passes it to a child that it has forked ahead. It never
 * reads or writes a byte of a connection. The child serves one request and ends. Then the connection waits for the next one.
 *
 * It does what netbrokerd does, in the same order. What the broker's process does once after exec, the parent does once at its
 * start, because its children inherit it: signals, limits, the system user, no_new_privs. What does not depend on the caller, a
 * child does before it waits: it closes all descriptors but its own channel, connects to the trail, walks to the compiled policy
 * and reads it, gives up capabilities and enters the first filter. Before each turn the parent looks whether the policy and the
 * trail are still the same, and discards children that know others. When it has a connection, the child arms the alarm, finds the
 * caller, reads the request and compares the ids of its sender, writes a record, enters the namespace, looks the link up, gives
 * up the rest, enters Landlock and the second filter, looks the link up again, sets the MTU, writes the second record, and
 * replies. A request that has not arrived completely goes back to the parent.
 *
 * It has no limits, shares or penalties. What netbrokerd costs above it is what those, its parser, its judge and its language
 * cost.
 *
 * The request and the policy are read and not looked at, and what to change is in the arguments. It must therefore never be
 * installed. The steps are in defences.h. Linked statically with musl.
 */
#define PROGRAM "resident"
#include "defences.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum {
	AHEAD = 2,               /* children that wait for a connection */
	MOST_CHILDREN = 64,      /* at work and waiting */
	MOST_CONNECTIONS = 4096, /* their descriptors are less than this */
	/* Exit statuses of a child: */
	GIVE_UP = 66, /* its connection is of no more use */
	UNREADY = 75, /* the request has not arrived completely, and nothing was taken of it */
};

struct child {
	pid_t pid;      /* 0: there is none */
	int channel;    /* the parent's end */
	int connection; /* that it serves; -1: it waits; -2: it is discarded */
	int arrived;    /* bytes that had arrived there */
};

/* By its descriptor. */
struct connection {
	int is_served, is_waiting, has_ended;
	int partial; /* bytes that were no complete request */
};

static struct child children[MOST_CHILDREN];
static size_t child_count, idle_count;
static struct connection connections[MOST_CONNECTIONS];
/* Connections with a request, in the order of their arrival. */
static int waiting[MOST_CONNECTIONS];
static size_t waiting_first, waiting_count;
static int epoll, listener, signals;

/* What decides whether children that were forked ahead are still of use. */
static const char *const looked_at[] = { "/var/lib/netbroker/policy", "/run/systemd/journal/socket", "/dev/log" };
static struct seen {
	dev_t device;
	ino_t inode;
	struct timespec changed;
} seen[3];

static gid_t system_group;
static struct stat own, first;
static const char *netns, *link_name;
static uint32_t mtu;

/* --- the child --- */

/* Takes the connection that the parent sends: its descriptors become 0 and 1, the lowest that are free. Returns how many bytes
 * had arrived on it. Ends when the parent has no use for this process. */
static int receive_connection(int channel)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	int arrived, both[2];
	struct iovec one = { &arrived, sizeof arrived };
	struct msghdr message = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t bytes = recvmsg(channel, &message, 0);

	if (bytes == 0)
		_exit(0);
	must(bytes == sizeof arrived && message.msg_controllen >= CMSG_LEN(sizeof both), "connection");
	memcpy(both, CMSG_DATA(&control.header), sizeof both);
	must(control.header.cmsg_type == SCM_RIGHTS && both[0] == 0 && both[1] == 1, "descriptors");
	return arrived;
}

/* Receives bytes without waiting. All of them must have been sent under the ids with which the connection was made. */
static ssize_t receive(char *into, size_t bytes, int flags, const struct ucred *peer)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec one = { into, bytes };
	struct msghdr message = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	struct ucred sender;
	ssize_t got = recvmsg(0, &message, flags | MSG_DONTWAIT);

	must(got >= 0, "request");
	if (got == 0)
		return 0;
	must(!(message.msg_flags & MSG_CTRUNC) && message.msg_controllen >= CMSG_LEN(sizeof sender) &&
	     control.header.cmsg_type == SCM_CREDENTIALS, "ids of the sender");
	memcpy(&sender, CMSG_DATA(&control.header), sizeof sender);
	must(sender.uid == peer->uid && sender.gid == peer->gid, "another sender");
	return got;
}

/* Reads the request up to its NUL, and no byte of the next one. */
static void read_request(const struct ucred *peer, int arrived)
{
	static char seen[8192], taken[8192];
	struct pollfd input = { .fd = 0, .events = POLLIN };

	for (;; arrived = INT_MAX) {
		must(arrived != INT_MAX || poll(&input, 1, 10000) == 1, "request in time");
		ssize_t bytes = receive(seen, sizeof seen, MSG_PEEK, peer);
		if (bytes == 0)
			_exit(GIVE_UP);
		const char *end = memchr(seen, '\0', (size_t)bytes);
		if (!end && bytes >= arrived && bytes < (ssize_t)sizeof seen)
			_exit(UNREADY);
		size_t wanted = end ? (size_t)(end - seen) + 1 : (size_t)bytes;
		must(receive(taken, wanted, 0, peer) == (ssize_t)wanted && memcmp(seen, taken, wanted) == 0, "request");
		if (end)
			return;
	}
}

static void set_mtu(int route)
{
	struct request request = {
		.header = { NLMSG_LENGTH(sizeof request.link), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 3, 0 },
		.link = { .ifi_family = AF_UNSPEC },
	};

	attribute(&request, IFLA_IFNAME, link_name, strlen(link_name) + 1);
	attribute(&request, IFLA_MTU, &mtu, sizeof mtu);
	ask(route, &request);
}

static struct ucred find_caller(void)
{
	struct ucred peer;
	socklen_t length = sizeof peer;
	gid_t groups[64];

	must(getsockopt(0, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0, "SO_PEERCRED");
	length = sizeof groups;
	must(getsockopt(0, SOL_SOCKET, SO_PEERGROUPS, groups, &length) == 0, "SO_PEERGROUPS");
	return peer;
}

static void guard_ahead(int policy, int channel)
{
	const uint32_t POLICY = (uint32_t)policy, CHANNEL = (uint32_t)channel;
	const struct sock_filter program[] = { GUARDED_AHEAD };

	filter(program, sizeof program / sizeof *program);
}

static void __attribute__((noreturn)) serve(int channel)
{
	static const char reply[] = "{\"parameters\":{}}";
	struct pollfd output = { .fd = 1, .events = POLLOUT };
	char fields[512];
	sigset_t empty;

	if (channel > 3)
		must(syscall(SYS_close_range, 3, channel - 1, 0) == 0, "close_range");
	must(syscall(SYS_close_range, channel + 1, ~0U, 0) == 0, "close_range");
	sigemptyset(&empty);
	must(sigprocmask(SIG_SETMASK, &empty, NULL) == 0, "sigprocmask");
	begin();
	int trail = connect_trail();
	int policy = open_policy(system_group);
	keep_only(0, ADMINS);
	must(close(0) == 0 && close(1) == 0, "close");
	guard_ahead(policy, channel);

	int arrived = receive_connection(channel);
	alarm(30);
	clock_gettime(CLOCK_MONOTONIC, &began);
	struct ucred peer = find_caller();
	read_request(&peer, arrived);
	snprintf(fields, sizeof fields, "{\"link\":\"%s\",\"mtu\":%u,\"netns\":\"%s\"}", link_name, mtu, netns);
	record(trail, "permitted", "socket", peer.uid, peer.gid, &own, fields);

	int route = enter(netns, &own, &first);
	int index = look_up(route, link_name, 1);
	must(index > 0, "link");
	keep_only(1 << CAP_NET_ADMIN, 1 << CAP_NET_ADMIN);
	landlock();
	transact_only(route, trail);
	must(look_up(route, link_name, 2) == index, "link, looked up again");
	set_mtu(route);
	record(trail, "outcome", "socket", peer.uid, peer.gid, &own, fields);
	must(poll(&output, 1, 10000) == 1 && write(1, reply, sizeof reply) == sizeof reply, "reply");
	_exit(0);
}

/* --- the parent --- */

static struct seen look(const char *path)
{
	struct stat what = { 0 };

	if (fstatat(AT_FDCWD, path, &what, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
		return (struct seen){ 0 };
	return (struct seen){ what.st_dev, what.st_ino, what.st_ctim };
}

/* Discards the children that wait, if they have read another policy, or are connected to another trail. */
static void look_at_all(void)
{
	int is_other = 0;

	for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
		struct seen now = look(looked_at[i]);

		is_other |= now.device != seen[i].device || now.inode != seen[i].inode ||
			    now.changed.tv_sec != seen[i].changed.tv_sec || now.changed.tv_nsec != seen[i].changed.tv_nsec;
		seen[i] = now;
	}
	for (struct child *child = children; is_other && child < children + MOST_CHILDREN; child++)
		if (child->pid && child->connection == -1) {
			close(child->channel);
			child->channel = -1;
			child->connection = -2;
			idle_count--;
		}
}

/* Raw calls, here and where it waits: the parent's filter is that of a build with glibc, which makes these. */
static void fork_ahead(void)
{
	struct child *child = children;
	int channel[2];

	while (child->pid)
		child++;
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) == 0, "socketpair");
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	must(pid >= 0, "fork");
	if (pid == 0)
		serve(channel[1]);
	close(channel[1]);
	*child = (struct child){ .pid = pid, .channel = channel[0], .connection = -1 };
	child_count++;
	idle_count++;
}

static int queued(int connection)
{
	int bytes = 0;

	must(ioctl(connection, FIONREAD, &bytes) == 0, "FIONREAD");
	return bytes;
}

/* Puts a connection on which a request has arrived at the end of those that wait; closes one on which none will arrive. */
static void look_for_request(int fd)
{
	struct connection *connection = &connections[fd];

	if (connection->is_served || connection->is_waiting)
		return;
	if (queued(fd) > connection->partial) {
		connection->is_waiting = 1;
		waiting[(waiting_first + waiting_count++) % MOST_CONNECTIONS] = fd;
	} else if (connection->has_ended) {
		close(fd);
	}
}

static void pass(int fd, struct child *child)
{
	const int both[2] = { fd, fd };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof both)];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof both), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec one = { &child->arrived, sizeof child->arrived };
	struct msghdr message = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };

	child->connection = fd;
	child->arrived = queued(fd);
	connections[fd].is_served = 1;
	idle_count--;
	memcpy(CMSG_DATA(&control.header), both, sizeof both);
	/* A child that died meanwhile is found when it is reaped. Its connection is then closed. */
	must(sendmsg(child->channel, &message, MSG_NOSIGNAL) == sizeof child->arrived || errno == EPIPE, "sendmsg");
}

/* Passes connections to children that wait, the oldest request first; forks where none waits. */
static void pass_all(void)
{
	while (waiting_count && (idle_count || child_count < MOST_CHILDREN)) {
		struct child *child = children;
		int fd = waiting[waiting_first];

		look_at_all();
		if (!idle_count)
			fork_ahead();
		while (!child->pid || child->connection != -1)
			child++;
		waiting_first = (waiting_first + 1) % MOST_CONNECTIONS;
		waiting_count--;
		connections[fd].is_waiting = 0;
		pass(fd, child);
	}
	/* Without a trail they would end at once. */
	while (seen[1].inode && idle_count < AHEAD && child_count < MOST_CHILDREN)
		fork_ahead();
}

static void child_ended(struct child *child, int status)
{
	int fd = child->connection;

	if (child->channel >= 0)
		close(child->channel);
	child->pid = 0;
	child_count--;
	if (fd < 0) {
		idle_count -= fd == -1;
		return;
	}
	connections[fd].is_served = 0;
	connections[fd].partial = WIFEXITED(status) && WEXITSTATUS(status) == UNREADY ? child->arrived : 0;
	if (status == 0 || connections[fd].partial)
		look_for_request(fd);
	else
		close(fd);
}

static void reap(void)
{
	struct signalfd_siginfo what;
	pid_t pid;
	int status;

	must(read(signals, &what, sizeof what) == sizeof what, "signalfd");
	if (what.ssi_signo == SIGTERM)
		_exit(0); /* children that wait see the end of their channels */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = children;

		while (child->pid != pid)
			child++;
		child_ended(child, status);
	}
}

static void watch(int descriptor, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = descriptor };

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
}

/* What a limit for each principal would need is read here, as netbrokerd does. */
static void accept_connections(void)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct ucred peer;
		socklen_t length = sizeof peer;
		gid_t groups[64];

		must(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0, "SO_PEERCRED");
		length = sizeof groups;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0 || fd >= MOST_CONNECTIONS) {
			close(fd);
			continue;
		}
		connections[fd] = (struct connection){ 0 };
		watch(fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
	}
	must(errno == EAGAIN || errno == ECONNABORTED || errno == EMFILE, "accept");
}

static void __attribute__((noreturn)) wait_for_requests(void)
{
	struct epoll_event events[64];

	for (;;) {
		int count = (int)syscall(SYS_epoll_wait, epoll, events, 64, -1), is_signalled = 0;

		must(count >= 0 || errno == EINTR, "epoll_wait");
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == listener) {
				accept_connections();
			} else if (fd == signals) {
				is_signalled = 1; /* last: what it closes may have an event here */
			} else {
				connections[fd].has_ended |= (events[i].events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
				look_for_request(fd);
			}
		}
		if (is_signalled)
			reap();
		pass_all();
	}
}

/* --- the start --- */

/* Its children inherit it. */
static void guard_parent(void)
{
	static const struct sock_filter program[] = { RESIDE };

	filter(program, sizeof program / sizeof *program);
}

static void listen_at(const char *path, gid_t group)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int on = 1;

	must(strlen(path) < sizeof address.sun_path, "path");
	strcpy(address.sun_path, path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(listener >= 0 && setsockopt(listener, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0, "socket");
	must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, path);
	must(chown(path, 0, group) == 0 && chmod(path, 0660) == 0 && listen(listener, 4096) == 0, path);
}

/* What the broker does once after exec, for this process and its children. */
static void prepare(void)
{
	static const int ignored[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ };
	struct sigaction action = { .sa_handler = SIG_IGN };
	struct rlimit none = { 0, 0 };
	struct stat run, user;
	struct statfs at;

	dl_iterate_phdr(protect, NULL);
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		must(sigaction(ignored[i], &action, NULL) == 0, "sigaction");
	must(setrlimit(RLIMIT_CORE, &none) == 0, "setrlimit");
	must(chdir("/") == 0 && clearenv() == 0, "start");
	int proc = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(proc >= 0 && fstatfs(proc, &at) == 0 && at.f_type == PROC_MAGIC, "/proc");
	require_initial_user_namespace(proc);
	must(fstatat(proc, "self/ns/net", &own, 0) == 0, "own namespace");
	if (fstatat(proc, "1/ns/net", &first, 0) != 0)
		first = own;
	close(proc);
	must(lstat("/run", &run) == 0 && run.st_uid == 0 && !(run.st_mode & 022), "/run");
	must(lstat("/run/netbroker", &user) == 0 && (user.st_mode & 07777) == 0755 && user.st_uid, "/run/netbroker");
	system_group = user.st_gid;
	become(user.st_uid, user.st_gid, (uid_t)-1);
	keep_only(0, ADMINS);
	umask(077);
}

int main(int argc, char **argv)
{
	sigset_t handled;

	if (argc != 6) {
		fputs("usage: resident SOCKET GROUP NETNS LINK MTU\n", stderr);
		return 64;
	}
	netns = argv[3];
	link_name = argv[4];
	mtu = (uint32_t)strtoul(argv[5], NULL, 10);
	must(syscall(SYS_close_range, 3, ~0U, 0) == 0, "close_range");
	listen_at(argv[1], (gid_t)strtoul(argv[2], NULL, 10));
	prepare();
	sigemptyset(&handled);
	sigaddset(&handled, SIGCHLD);
	sigaddset(&handled, SIGTERM);
	must(sigprocmask(SIG_BLOCK, &handled, NULL) == 0, "sigprocmask");
	signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	must(signals >= 0 && epoll >= 0, "epoll");
	watch(listener, EPOLLIN);
	watch(signals, EPOLLIN);
	guard_parent();
	pass_all();
	wait_for_requests();
}
