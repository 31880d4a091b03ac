# Runs a command, waits until netbroker has done a system call for the Nth time, and puts another one in the place of
# the next: what comes of it (`= RESULT` or `signal N`) goes to LOG, the process's state at that point to LOG.status.
# With NUMBER -1 nothing is replaced, and every state from that point on is written. x86-64 only.
# usage: LOG AFTER NTH NUMBER ARGUMENT… -- COMMAND…   (an argument with a slash is the address of that text)
use strict;

my ($log, $after, $nth, $number, @rest) = @ARGV;
my @arguments;
push @arguments, shift @rest while $rest[0] ne "--";
shift @rest;

my ($ORIG_RAX, $RAX, $RSP) = (15, 10, 19);
my @ARGUMENT = (14, 13, 12, 7, 9, 8); # rdi rsi rdx r10 r8 r9
sub ptrace { syscall(101, $_[0] + 0, $_[1] + 0, 0, $_[2]) }
sub registers { my $raw = "\0" x 216; ptrace(12, $_[0], $raw); unpack "q27", $raw }
sub note { open my $to, ">>", $_[0] or die; print $to $_[1]; close $to }
sub status { open my $from, "<", "/proc/$_[0]/status" or return ""; local $/; <$from> }

my $pid = fork;
if (!$pid) { ptrace(0, 0, 0); kill STOP => $$; exec @rest or die "exec: $!" }
waitpid $pid, 0;
ptrace(0x4200, $pid, 0x100001); # PTRACE_O_TRACESYSGOOD, PTRACE_O_EXITKILL
my ($entered, $is_broker, $armed, $injected, $signal, $result) = (0, 0, 0, 0, 0);
for (;;) {
    ptrace(24, $pid, $signal); # PTRACE_SYSCALL
    waitpid $pid, 0;
    my ($why, $what) = (${^CHILD_ERROR_NATIVE} & 0x7f, ${^CHILD_ERROR_NATIVE} >> 8 & 0xff);
    if ($why == 0) { note($log, "exit $what"); exit 0 }
    if ($why != 0x7f) { note($log, "signal $why"); exit 0 }
    $signal = $what;
    next if $signal != 0x85 && $signal != 5;
    my $is_call = $signal == 0x85;
    $signal = 0;
    next unless $is_call;
    my @is = registers($pid);
    $entered = !$entered;
    if (!$entered) {
        $result = $is[$RAX] if $injected; # a process that a filter ends comes by here too
        $is_broker = 1 if $is[$ORIG_RAX] == 59 && readlink("/proc/$pid/exe") =~ m{/netbroker$};
        $armed = 1 if $is_broker && $is[$ORIG_RAX] == $after && $is[$RAX] >= 0 && --$nth == 0;
        next;
    }
    if (defined $result) { note($log, "= $result"); kill KILL => $pid; exit 0 }
    next unless $armed;
    note("$log.status", status($pid));
    next if $number == -1;
    $is[$ORIG_RAX] = $number + 0;
    my $room = $is[$RSP] - 8192;
    for my $at (0 .. $#arguments) {
        my $value = $arguments[$at];
        if ($value =~ m{/}) {
            open my $memory, "+<", "/proc/$pid/mem" or die "mem: $!";
            sysseek $memory, $room, 0;
            syswrite($memory, "$value\0") or die "poke: $!";
            ($value, $room) = ($room, $room + 1024);
        }
        $is[$ARGUMENT[$at]] = $value + 0;
    }
    ptrace(13, $pid, pack "q27", @is);
    $injected = 1;
}
