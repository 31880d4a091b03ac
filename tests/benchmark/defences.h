/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * The defences of the broker in C, each step by one system call where one is enough, each checked: what the benchmark's
 * programs without a parser have in common (confined.c, resident.c). The order in which they are called is the broker's.
 * PROGRAM is the name of the program, for its messages.
 *
 * The filters are the broker's own (filters.h, which a test of the broker compares), ready when the program is built.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
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

#include "filters.h"

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
	int length = snprintf(line, sizeof line, PROGRAM ": %s: %s\n", step, strerror(errno));

	if (write(2, line, (size_t)length) < 0)
		_exit(74);
	_exit(71);
}

static void must(int holds, const char *step)
{
	if (!holds)
		failed(step);
}

/* The id of a request, and when it began. */
static void begin(void)
{
	unsigned char random[16];

	must(getrandom(random, sizeof random, 0) == sizeof random, "getrandom");
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	clock_gettime(CLOCK_MONOTONIC, &began);
}

/* What relocation has written and nobody writes again: musl leaves that open in a static program. */
static int protect(struct dl_phdr_info *info, size_t size, void *none)
{
	(void)size, (void)none;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = info->dlpi_phdr + i;
		uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1, from = (info->dlpi_addr + part->p_vaddr) & ~page;
		uintptr_t to = (info->dlpi_addr + part->p_vaddr + part->p_memsz) & ~page;

		if (part->p_type == PT_GNU_RELRO)
			must(mprotect((void *)from, to - from, PROT_READ) == 0, "mprotect");
	}
	return 1; /* of the program itself only */
}

/* --- the system user, the trail, the policy --- */

static void require_initial_user_namespace(int proc)
{
	struct how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = NO_XDEV };
	static const char initial[] = "user:[4026531837]";
	char number[sizeof initial];
	int link = (int)syscall(SYS_openat2, proc, "self/ns/user", &how, sizeof how);

	must(link >= 0 && readlinkat(link, "", number, sizeof number) == sizeof initial - 1, "user namespace");
	must(memcmp(number, initial, sizeof initial - 1) == 0, "user namespace");
	close(link);
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

static void filter(const struct sock_filter *program, size_t length)
{
	struct sock_fprog all = { (unsigned short)length, (struct sock_filter *)program };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) == 0, "filter");
}

static void transact_only(int route, int trail)
{
	const uint32_t NETLINK = (uint32_t)route, TRAIL = (uint32_t)trail;
	const struct sock_filter program[] = { TRANSACT };

	filter(program, sizeof program / sizeof *program);
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

/* Sends one request and reads its answer, one message; returns the index of the link that it shows, or 0. */
static int ask(int route, struct request *request)
{
	static uint32_t answer[2048];
	struct nlmsghdr *header = (struct nlmsghdr *)answer;
	ssize_t bytes;

	must(send(route, request, request->header.nlmsg_len, 0) == (ssize_t)request->header.nlmsg_len, "send");
	bytes = recv(route, answer, sizeof answer, 0);
	must(bytes >= (ssize_t)NLMSG_LENGTH(sizeof(struct ifinfomsg)), "answer");
	must(header->nlmsg_seq == request->header.nlmsg_seq, "sequence");
	if (header->nlmsg_type != NLMSG_ERROR)
		return ((struct ifinfomsg *)NLMSG_DATA(header))->ifi_index;
	errno = -((struct nlmsgerr *)NLMSG_DATA(header))->error;
	must(errno == 0, "kernel");
	return 0;
}

static int look_up(int route, const char *link, uint32_t sequence)
{
	struct request request = {
		.header = { NLMSG_LENGTH(sizeof request.link), RTM_GETLINK, NLM_F_REQUEST, sequence, 0 },
		.link = { .ifi_family = AF_UNSPEC },
	};
	uint32_t mask = RTEXT_FILTER_SKIP_STATS;

	attribute(&request, IFLA_IFNAME, link, strlen(link) + 1);
	attribute(&request, IFLA_EXT_MASK, &mask, sizeof mask);
	return ask(route, &request);
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
static void record(int trail, const char *event, const char *way, uid_t uid, gid_t gid, const struct stat *own,
		   const char *fields)
{
	static const char digest[] = "0000000000000000000000000000000000000000000000000000000000000000";
	struct timespec now;
	long long us = -1;
	int is_outcome = strcmp(event, "outcome") == 0;

	if (is_outcome) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		us = (now.tv_sec - began.tv_sec) * 1000000LL + (now.tv_nsec - began.tv_nsec) / 1000;
	}
	record_bytes = 0;
	add("MESSAGE=event=%s request=%s uid=%u gid=%u way=%s host_netns=net:[%llu] policy=%s call=Link.Set fields=%s "
	    "rule=alice-links-up", event, id, uid, gid, way, (unsigned long long)own->st_ino, digest, fields);
	if (is_outcome)
		add(" result=done duration_us=%lld", us);
	add("\nMESSAGE_ID=%s\nPRIORITY=6\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=netbroker\nNETBROKER_EVENT=%s\n"
	    "NETBROKER_REQUEST=%s\nNETBROKER_UID=%u\nNETBROKER_GID=%u\nNETBROKER_WAY=%s\nNETBROKER_HOST_NETNS=net:[%llu]\n"
	    "NETBROKER_POLICY=%s\nNETBROKER_CALL=Link.Set\nNETBROKER_FIELDS=%s\nNETBROKER_RULE=alice-links-up\n",
	    is_outcome ? "2b9d8c4f6e1a4b7c8d3f5a6e7b0c9d12" : "e6a3b1a0c5f14a5d9f0e7d4c2b8a1f36", event, id, uid, gid, way,
	    (unsigned long long)own->st_ino, digest, fields);
	if (is_outcome)
		add("NETBROKER_RESULT=done\nNETBROKER_DURATION_US=%lld\n", us);
	must(send(trail, record_text, (size_t)record_bytes, MSG_NOSIGNAL) == record_bytes, "trail");
}
