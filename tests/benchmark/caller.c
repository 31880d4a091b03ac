// SPDX-License-Identifier: Apache-2.0 OR MIT
/*
 * A caller of the broker, for `tests/bench --callers`: what a call costs as the caller sees it.
 *
 *     caller fork|vfork|posix_spawn MIB REQUEST PROGRAM
 *
 * For each byte on descriptor 0 it makes one call, as an agent would: request and reply go through pipes, and the program is
 * reaped. A line with the nanoseconds from before the pipes are made until then goes to descriptor 1. A call that fails ends
 * it. It first fills MIB mebibytes of memory, in pages of the ordinary size: a large process has most of its memory in them,
 * because it grew by and by.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *way, *program;
static char request[4096];
static size_t request_bytes;
static char *const none[] = { NULL };

static void __attribute__((noreturn)) failed(const char *step)
{
	fprintf(stderr, "caller: %s: %s\n", step, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Only system calls: with vfork this runs in the parent's memory. */
static void __attribute__((noreturn)) become(int input, int output)
{
	char *const argv[] = { (char *)program, NULL };

	if (dup2(input, 0) == 0 && dup2(output, 1) == 1)
		execve(program, argv, none);
	_exit(127);
}

static pid_t __attribute__((noinline)) start(int input, int output)
{
	pid_t child;

	if (strcmp(way, "posix_spawn") == 0) {
		char *const argv[] = { (char *)program, NULL };
		posix_spawn_file_actions_t actions;

		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, input, 0);
		posix_spawn_file_actions_adddup2(&actions, output, 1);
		errno = posix_spawn(&child, program, &actions, NULL, argv, none);
		posix_spawn_file_actions_destroy(&actions);
		if (errno != 0)
			failed(program);
		return child;
	}
	child = strcmp(way, "vfork") == 0 ? vfork() : fork();
	if (child == 0)
		become(input, output);
	if (child < 0)
		failed(way);
	return child;
}

static void call(void)
{
	int to[2], from[2], status;
	char reply[4096];
	ssize_t bytes, all = 0;

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
		failed("pipe");
	if (write(to[1], request, request_bytes) != (ssize_t)request_bytes)
		failed("request");
	pid_t child = start(to[0], from[1]);
	close(to[0]);
	close(to[1]);
	close(from[1]);
	while ((bytes = read(from[0], reply + all, sizeof reply - 1 - (size_t)all)) > 0)
		all += bytes;
	close(from[0]);
	if (waitpid(child, &status, 0) != child)
		failed("waitpid");
	reply[all] = '\0';
	if (status != 0) {
		fprintf(stderr, "caller: status %#x: %s\n", (unsigned)status, reply);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	char byte;

	if (argc != 5) {
		fputs("usage: caller fork|vfork|posix_spawn MIB REQUEST PROGRAM\n", stderr);
		return 65;
	}
	way = argv[1];
	program = argv[4];
	size_t bytes = strtoul(argv[2], NULL, 10) << 20;
	if (bytes) {
		char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			failed("mmap");
		madvise(memory, bytes, MADV_NOHUGEPAGE);
		memset(memory, 1, bytes);
	}
	int file = open(argv[3], O_RDONLY | O_CLOEXEC);
	ssize_t got = file < 0 ? -1 : read(file, request, sizeof request);
	if (got <= 0)
		failed(argv[3]);
	request_bytes = (size_t)got;
	while (read(0, &byte, 1) == 1) {
		uint64_t began = now_ns();

		call();
		dprintf(1, "%" PRIu64 "\n", now_ns() - began);
	}
	return 0;
}
