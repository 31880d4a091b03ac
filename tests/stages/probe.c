/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * What seccomp filters, read back from a process, make of system calls.
 *
 * Reads lines, all numbers in hexadecimal: `filter PROGRAM`, in the order in which they were attached; then `try WAY NUMBER
 * ARGUMENT…`. For each of the latter it writes `lives`, `killed`, or `absent`: the kernel has no such way in. Ways: `native` (x32
 * is a bit of the number), `i386` (int 0x80), `vsyscall` (the number is the offset in that page).
 *
 * `judged`: for each filter one process makes all the calls behind the same program but for what that returns: where it would
 * kill the call fails, where it would allow the call wants a tracer and fails otherwise. So nothing is done, and the kernel logs no
 * 30000 deaths. What one filter kills is killed.
 * `real`: each call is made in a process of its own, which is nobody, behind all the filters as they are. x86-64 only.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534
#define NO_FILTER 99 /* the exit status where a filter is not taken */
#define KILLED 4000  /* as an error number; there is no such */
#define MOST 100000

struct call {
	char way[16];
	unsigned long number, a[6];
};

static struct sock_fprog filters[4];
static size_t filter_count, call_count;
static struct call calls[MOST];
static const char lives[] = "lives", killed[] = "killed", absent[] = "absent", **outcomes;
static jmp_buf back;

static void take_filter(const char *hex)
{
	size_t bytes = strlen(hex) / 2;
	unsigned char *program = malloc(bytes);

	if (!program || filter_count == sizeof filters / sizeof *filters)
		errx(1, "too many filters");
	for (size_t at = 0; at < bytes; at++)
		if (sscanf(hex + 2 * at, "%2hhx", &program[at]) != 1)
			errx(1, "a filter that is not hexadecimal");
	filters[filter_count++] = (struct sock_fprog){ bytes / sizeof(struct sock_filter), (void *)program };
}

static void judge_only(struct sock_fprog *program)
{
	for (struct sock_filter *one = program->filter; one < program->filter + program->len; one++)
		if (one->code != (BPF_RET | BPF_K))
			continue;
		else if (one->k == SECCOMP_RET_KILL_PROCESS)
			one->k = SECCOMP_RET_ERRNO | KILLED;
		else if (one->k == SECCOMP_RET_ALLOW)
			one->k = SECCOMP_RET_TRACE;
		else
			errx(1, "a filter that answers %#x", one->k);
}

static long make(const struct call *call)
{
	const unsigned long *a = call->a;
	register unsigned long r10 asm("r10") = a[3], r8 asm("r8") = a[4], r9 asm("r9") = a[5];
	long result = call->number;

	switch (*call->way) {
	case 'n':
		asm volatile("syscall" : "+a"(result) : "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			     : "rcx", "r11", "memory");
		return result;
	case 'i':
		asm volatile("int $0x80" : "+a"(result) : "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
			     : "r8", "r9", "r10", "r11", "memory");
		return (int)result;
	default:
		return ((long (*)(long, long, long))(0xffffffffff600000 + call->number))(a[0], a[1], a[2]);
	}
}

static void attach(const struct sock_fprog *filter)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter))
		_exit(NO_FILTER);
}

static void no_such_way(int signal)
{
	longjmp(back, signal);
}

/* It ends by a signal: no system call is left. */
static void judge(const struct sock_fprog *filter)
{
	static volatile size_t nth;

	sigaction(SIGSEGV, &(struct sigaction){ .sa_handler = no_such_way, .sa_flags = SA_NODEFER }, NULL);
	attach(filter);
	for (nth = 0; nth < call_count; nth++) {
		if (setjmp(back))
			continue;
		long result = make(&calls[nth]);
		if (result == -KILLED)
			outcomes[nth] = killed;
		else if (result == -ENOSYS && outcomes[nth] == absent)
			outcomes[nth] = lives;
	}
	asm volatile("int3");
}

static void try(const struct call *call)
{
	alarm(10); /* what should have been killed, and waits */
	for (size_t nth = 0; nth < filter_count; nth++)
		attach(&filters[nth]);
	make(call);
	make(&(struct call){ .way = "n", .number = SYS_exit_group });
}

/* The signal that ended a process which judges, or tries. */
static int end_of(const struct sock_fprog *filter, const struct call *call)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		err(1, "fork");
	if (!child && call)
		try(call);
	if (!child)
		judge(filter);
	if (waitpid(child, &status, 0) != child)
		err(1, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
		errx(1, "a filter is not taken");
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(int argc, char **argv)
{
	static char line[1 << 17], hex[1 << 17];
	int is_real = argc == 2 && !strcmp(argv[1], "real");

	outcomes = mmap(NULL, MOST * sizeof *outcomes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outcomes == MAP_FAILED || setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY) || setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err(1, "becoming nobody");
	while (fgets(line, sizeof line, stdin)) {
		struct call *one = &calls[call_count];

		if (sscanf(line, "filter %131071s", hex) == 1)
			take_filter(hex);
		else if (call_count < MOST && sscanf(line, "try %15s %lx %lx %lx %lx %lx %lx %lx", one->way, &one->number,
						     one->a, one->a + 1, one->a + 2, one->a + 3, one->a + 4, one->a + 5) == 8)
			outcomes[call_count++] = absent;
		else
			errx(1, "not understood: %s", line);
	}
	for (size_t nth = 0; is_real && nth < call_count; nth++) {
		int signal = end_of(NULL, &calls[nth]);
		outcomes[nth] = signal == SIGSYS ? killed : signal == SIGSEGV ? absent : lives;
	}
	for (size_t nth = 0; !is_real && nth < filter_count; nth++) {
		judge_only(&filters[nth]);
		if (end_of(&filters[nth], NULL) != SIGTRAP)
			errx(1, "it judged not to the end");
	}
	for (size_t nth = 0; nth < call_count; nth++)
		puts(outcomes[nth]);
	return 0;
}
