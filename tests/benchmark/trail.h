/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Plays journald on one socket: a datagram socket that anybody may write to, and a process that takes every record and keeps
 * none. So the records of a request are really written and taken. Included by programs that have a give_up().
 */
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

struct trail {
	const char *path;
	pid_t reader;
	uint64_t *records; /* shared with the reader */
};

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
