// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// forbidden ACT does one thing that netbroker and netbrokerd never do, and ends with 0 if the kernel allowed it, else with the
// number of the error. tests/vm/apparmor runs it as root with all capabilities: first under no profile, then in the place of
// each of the two programs. Without an argument it prints the acts.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// What tests/vm/apparmor has prepared: a file, a directory with something mounted on it, a plain file and a directory among
// the names of namespaces, and another process, by its number.
#define FILE_ "/tmp/forbidden/file"
#define MOUNTED "/tmp/forbidden/mounted"
#define NAME "/run/netns/name"
#define FOLDER "/run/netns/folder"
static int other;

static int opens(const char *path, int flags) { return open(path, flags | O_CLOEXEC, 0600); }
static int of_other(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", other, name);
    return opens(path, O_RDONLY);
}
static int mounts(const char *from, const char *to, const char *type, unsigned long flags) { return mount(from, to, type, flags, NULL); }

static int read_shadow(void) { return opens("/etc/shadow", O_RDONLY); }
static int read_a_file_that_everybody_may_read(void) { return opens("/etc/passwd", O_RDONLY); }
static int read_a_directory(void) { return opens("/etc", O_RDONLY | O_DIRECTORY); }
static int write_the_policy(void) { return opens("/var/lib/netbroker/policy", O_WRONLY); }
static int write_a_file(void) { return opens(FILE_, O_WRONLY); }
static int make_a_file(void) { return opens("/tmp/forbidden/made", O_WRONLY | O_CREAT | O_EXCL); }
static int make_a_file_beside_the_policy(void) { return opens("/var/lib/netbroker/made", O_WRONLY | O_CREAT | O_EXCL); }
static int make_a_directory_among_the_names(void) { return mkdir("/run/netns/made", 0700); }
static int make_a_link_among_the_names(void) { return link(NAME, "/run/netns/made"); }
static int remove_a_file(void) { return unlink(FILE_); }
static int change_a_mode(void) { return chmod(FILE_, 0777); }
static int make_a_device(void) { return mknod("/tmp/forbidden/made", S_IFCHR | 0666, makedev(1, 3)); }
static int write_to_the_tun_device(void) { return opens("/dev/net/tun", O_RDWR); }
static int write_core_pattern(void) { return opens("/proc/sys/kernel/core_pattern", O_WRONLY); }
static int mount_a_namespace_on_another_file(void) { return mounts("/proc/self/ns/net", FILE_, NULL, MS_BIND); }
static int mount_a_namespace_on_shadow(void) { return mounts("/proc/self/ns/net", "/etc/shadow", NULL, MS_BIND); }
static int mount_a_file_on_a_name(void) { return mounts(FILE_, NAME, NULL, MS_BIND); }
static int mount_the_root_directory_among_the_names(void) { return mounts("/", FOLDER, NULL, MS_BIND); }
static int mount_the_root_directory_elsewhere(void) { return mounts("/", "/mnt", NULL, MS_BIND); }
static int mount_the_names_elsewhere(void) { return mounts("/run/netns", "/mnt", NULL, MS_BIND | MS_REC); }
static int mount_a_file_system_on_the_names(void) { return mounts("x", "/run/netns", "tmpfs", 0); }
static int mount_a_file_system_called_as_the_names(void) { return mounts("/run/netns/", "/run/netns", "tmpfs", 0); }
static int mount_a_file_system_called_as_the_root(void) { return mounts("/", FOLDER, "tmpfs", 0); }
static int mount_a_file_system_elsewhere(void) { return mounts("x", "/mnt", "tmpfs", 0); }
static int change_a_mount(void) { return mounts(NULL, MOUNTED, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY); }
static int move_a_mount(void) { return mounts(MOUNTED, "/mnt", NULL, MS_MOVE); }
static int share_another_mount(void) { return mounts(NULL, MOUNTED, NULL, MS_SHARED | MS_REC); }
static int share_the_root(void) { return mounts(NULL, "/", NULL, MS_SHARED | MS_REC); }
static int make_the_names_private(void) { return mounts(NULL, "/run/netns", NULL, MS_PRIVATE | MS_REC); }
static int unmount_elsewhere(void) { return umount2(MOUNTED, MNT_DETACH); }
static int unmount_the_names(void) { return umount2("/run/netns", MNT_DETACH); }
static int execute_a_program(void) {
    int status = 0;
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        execl("/usr/bin/true", "true", (char *)NULL);
        _exit(errno);
    }
    if (waitpid(child, &status, 0) != child) return -1;
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
}
static int trace_a_process(void) { return ptrace(PTRACE_SEIZE, other, NULL, NULL); }
static int read_the_memory_of_a_process(void) { return of_other("mem"); }
static int read_the_environment_of_a_process(void) { return of_other("environ"); }
static int signal_a_process(void) { return kill(other, SIGCONT); }
static int open_a_tcp_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int open_a_udp_socket_of_ipv6(void) { return socket(AF_INET6, SOCK_DGRAM, 0); }
static int open_a_raw_socket(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_RAW); }
static int open_a_packet_socket(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static int open_a_netlink_socket_of_another_type(void) { return socket(AF_NETLINK, SOCK_DGRAM, 0); }
static int use_cap_sys_chroot(void) { return chroot("/"); }
static int use_cap_sys_nice(void) { return setpriority(PRIO_PROCESS, 0, -5); }
static int use_cap_sys_resource(void) {
    struct rlimit now;
    if (getrlimit(RLIMIT_NPROC, &now)) return -1;
    now.rlim_max += 1; // set below infinity by tests/vm/apparmor
    return setrlimit(RLIMIT_NPROC, &now);
}
static int use_cap_sys_time(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    return clock_settime(CLOCK_REALTIME, &now);
}
static int use_cap_syslog(void) { return klogctl(6, NULL, 0); } // messages to the console, which are off already

#define ACT(name) {#name, name}
static const struct { const char *name; int (*act)(void); } acts[] = {
    ACT(read_shadow), ACT(read_a_file_that_everybody_may_read), ACT(read_a_directory), ACT(write_the_policy), ACT(write_a_file),
    ACT(make_a_file), ACT(make_a_file_beside_the_policy), ACT(make_a_directory_among_the_names),
    ACT(make_a_link_among_the_names), ACT(remove_a_file), ACT(change_a_mode), ACT(make_a_device), ACT(write_to_the_tun_device),
    ACT(write_core_pattern), ACT(mount_a_namespace_on_another_file), ACT(mount_a_namespace_on_shadow),
    ACT(mount_a_file_on_a_name), ACT(mount_the_root_directory_among_the_names), ACT(mount_the_root_directory_elsewhere),
    ACT(mount_the_names_elsewhere), ACT(mount_a_file_system_on_the_names), ACT(mount_a_file_system_called_as_the_names),
    ACT(mount_a_file_system_called_as_the_root), ACT(mount_a_file_system_elsewhere),
    ACT(change_a_mount), ACT(move_a_mount), ACT(share_another_mount), ACT(share_the_root), ACT(make_the_names_private),
    ACT(unmount_elsewhere), ACT(unmount_the_names), ACT(execute_a_program), ACT(trace_a_process),
    ACT(read_the_memory_of_a_process), ACT(read_the_environment_of_a_process), ACT(signal_a_process), ACT(open_a_tcp_socket),
    ACT(open_a_udp_socket_of_ipv6), ACT(open_a_raw_socket), ACT(open_a_packet_socket), ACT(open_a_netlink_socket_of_another_type),
    ACT(use_cap_sys_chroot), ACT(use_cap_sys_nice), ACT(use_cap_sys_resource), ACT(use_cap_sys_time), ACT(use_cap_syslog),
};

int main(int count, char **words) {
    size_t all = sizeof acts / sizeof *acts;
    if (count < 2) {
        for (size_t at = 0; at < all; at++) puts(acts[at].name);
        return 0;
    }
    other = getppid();
    for (size_t at = 0; at < all; at++) {
        if (strcmp(acts[at].name, words[1]) == 0) return acts[at].act() < 0 ? errno : 0;
    }
    return 255;
}
