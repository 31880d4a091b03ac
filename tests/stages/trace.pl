# Runs a command and writes to LOG what netbroker does behind its filters, from its exec on:
#   call FILTERS NUMBER ARGUMENT…   a system call, and how many filters it is behind (in hexadecimal)
#   filter NTH PROGRAM              at its end: each filter that the kernel has, the first one first
#   socket DESCRIPTOR FAMILY        at its end: the sockets that are open
#   policy DESCRIPTOR               at its end: that of the compiled policy
# What a quiet machine does not show is brought about: the vDSO is hidden, so that each look at a clock is a system call, and
# a process that waits in poll is stopped and continued. x86-64 only.
# usage: LOG COMMAND…
use strict;

my ($log, @command) = @ARGV;
my ($ORIG_RAX, $RAX, $RSP) = (15, 10, 19);
my @ARGUMENT = (14, 13, 12, 7, 9, 8); # rdi rsi rdx r10 r8 r9
my ($EXECVE, $POLL, $EXIT_GROUP, $SECCOMP) = (59, 7, 231, 317);
my ($STOP, $TRAP) = (19, 5);
sub ptrace { syscall(101, $_[0] + 0, $_[1] + 0, $_[2] + 0, $_[3]) }
sub registers { my $raw = "\0" x 216; ptrace(12, $_[0], 0, $raw); unpack "q27", $raw }

open my $to, ">", $log or die "$log: $!";
$to->autoflush(1);

# Makes AT_SYSINFO_EHDR an AT_IGNORE: behind the arguments, the environment and a null each.
sub hide_vdso {
    my ($pid, $at) = @_;
    open my $memory, "+<:raw", "/proc/$pid/mem" or die "mem: $!";
    sysseek $memory, $at, 0;
    sysread $memory, my $stack, 1 << 16;
    my @words = unpack "q*", $stack;
    my $word = 2 + $words[0];
    $word++ while $words[$word];
    $word++;
    $word += 2 while $words[$word] && $words[$word] != 33;
    sysseek $memory, $at + 8 * $word, 0;
    syswrite $memory, pack "q", 1 or die "hiding the vDSO: $!";
}

sub show_end {
    my ($pid, $filters) = @_;
    for my $nth (0 .. $filters - 1) {
        my $program = "\0" x (8 * 4096);
        my $length = ptrace(0x420c, $pid, $nth, $program); # PTRACE_SECCOMP_GET_FILTER
        die "reading a filter needs CAP_SYS_ADMIN and CONFIG_CHECKPOINT_RESTORE: $!" if $length < 0;
        print $to "filter $nth ", unpack("H*", substr $program, 0, 8 * $length), "\n";
    }
    for my $file (grep { (readlink // "") =~ m{/policy$} } glob "/proc/$pid/fd/*") {
        print $to "policy ", $file =~ m{(\d+)$}, "\n";
    }
    my $process = syscall(434, $pid, 0); # pidfd_open
    for my $descriptor (map { m{(\d+)$} } grep { readlink =~ /^socket:/ } glob "/proc/$pid/fd/*") {
        my $copy = syscall(438, $process, $descriptor + 0, 0); # pidfd_getfd
        open my $socket, "+<&=", $copy or die "socket $descriptor: $!";
        print $to "socket $descriptor ", unpack("i", getsockopt $socket, 1, 39), "\n"; # SO_DOMAIN
    }
}

my $pid = fork;
if (!$pid) { ptrace(0, 0, 0, 0); kill STOP => $$; exec @command or die "exec: $!" }
waitpid $pid, 0;
ptrace(0x4200, $pid, 0, 0x100001); # PTRACE_O_TRACESYSGOOD, PTRACE_O_EXITKILL
my ($entered, $is_broker, $filters, $signal) = (0, 0, 0, 0);
for (;;) {
    ptrace(24, $pid, 0, $signal); # PTRACE_SYSCALL
    waitpid $pid, 0;
    my $status = ${^CHILD_ERROR_NATIVE};
    exit $status >> 8 if ($status & 0x7f) == 0;
    if (($status & 0x7f) != 0x7f) { kill $status & 0x7f => $$; exit 1 }
    $signal = $status >> 8 & 0xff;
    if ($signal != ($TRAP | 0x80)) {
        $signal = 0 if $signal == $TRAP || $signal == $STOP; # continued at once
        next;
    }
    $signal = 0;
    my @is = registers($pid);
    my ($number, $result) = @is[$ORIG_RAX, $RAX];
    $entered = !$entered;
    if (!$entered) {
        $is_broker = 1, hide_vdso($pid, $is[$RSP])
            if $number == $EXECVE && $result == 0 && readlink("/proc/$pid/exe") =~ m{/netbroker$};
        $filters++ if $is_broker && $number == $SECCOMP && $result == 0;
        next;
    }
    next unless $is_broker;
    printf $to "call %d %d %s\n", $filters, $number, join " ", map { sprintf "%x", $_ } @is[@ARGUMENT];
    kill STOP => $pid if $number == $POLL && $filters;
    show_end($pid, $filters) if $number == $EXIT_GROUP;
}
