// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * The floor of the benchmark: the least that any program can do to raise a link in a named network namespace.
 *
 *     floor NETNS IFINDEX
 *
 * One setns, one socket, one RTM_NEWLINK, its answer, exit. No policy, no confinement, no record, no look-up (the index is an
 * argument), nothing checked that would not change the outcome: what the broker costs above this is what its safety costs.
 * Linked statically, because the dynamic loader alone costs more than the rest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int failed(const char *step, int error)
{
	fprintf(stderr, "floor: %s: %s\n", step, strerror(error));
	return 1;
}

int main(int argc, char **argv)
{
	char path[512];
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {
		.header = {
			.nlmsg_len = sizeof request,
			.nlmsg_type = RTM_NEWLINK, /* without NLM_F_CREATE: changes the link with this index */
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			.nlmsg_seq = 1,
		},
		.link = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[1024]; /* a refusal quotes the request */
	} answer;

	if (argc != 3 || (request.link.ifi_index = atoi(argv[2])) <= 0) {
		fputs("usage: floor NETNS IFINDEX\n", stderr);
		return 1;
	}
	if (snprintf(path, sizeof path, "/run/netns/%s", argv[1]) >= (int)sizeof path)
		return failed(argv[1], ENAMETOOLONG);
	int namespace = open(path, O_RDONLY | O_CLOEXEC);
	if (namespace < 0)
		return failed(path, errno);
	if (setns(namespace, CLONE_NEWNET) != 0)
		return failed("setns", errno);
	int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (route < 0)
		return failed("socket", errno);
	/* Not connected: a netlink socket without a destination sends to the kernel. */
	if (send(route, &request, sizeof request, 0) != (ssize_t)sizeof request)
		return failed("send", errno);
	ssize_t bytes = recv(route, &answer, sizeof answer, 0);
	if (bytes < 0)
		return failed("recv", errno);
	if (bytes < (ssize_t)NLMSG_LENGTH(sizeof answer.error) || answer.header.nlmsg_type != NLMSG_ERROR)
		return failed("answer", EBADMSG);
	return answer.error.error ? failed("RTM_NEWLINK", -answer.error.error) : 0;
}
