# Runs a command again and again, and acts at the Nth system call of the broker that it becomes, for N = 1, 2, … until there
# is none; then lets it go on to its end. A line for each: N, the number of that call, the wait status, the link's MTU.
# ACTION hang-up: closes all ends that a caller has. stop: sends the signals of job control at every call, in one run; a
# line for each that was not ignored: the number of the call, the signal. x86-64 only.
# usage: ACTION pipe|socket REQUEST -- COMMAND…
use strict;
use Socket;
use POSIX ();

my ($action, $kind, $request, undef, @command) = @ARGV;
my ($ORIG_RAX, $EXECVE) = (15, 59);
my $MTU = "/sys/class/net/v0/mtu";
sub ptrace { syscall(101, $_[0] + 0, $_[1] + 0, 0, $_[2]) }
sub mtu { open my $file, "+<", $MTU or die; my $is = <$file>; chomp $is; seek $file, 0, 0; print $file "1500\n"; $is }

sub ends {
    if ($kind eq "socket") { socketpair(my $ours, my $theirs, PF_UNIX, SOCK_STREAM, 0) or die; return ($theirs, $theirs, $ours) }
    pipe(my $in, my $to) or die; pipe(my $from, my $out) or die; ($in, $out, $to, $from)
}

sub start {
    my ($in, $out, @ours) = ends();
    syswrite $ours[0], "$request\0" or die;
    my $pid = fork;
    if (!$pid) {
        POSIX::dup2(fileno $in, 0); POSIX::dup2(fileno $out, 1);
        POSIX::setpgid(0, 0); # in an orphaned process group, which all of this may be in, no such signal stops anybody
        ptrace(0, 0, 0); kill STOP => $$; exec @command or die "exec: $!";
    }
    waitpid $pid, 0;
    ptrace(0x4200, $pid, 0x100001); # PTRACE_O_TRACESYSGOOD, PTRACE_O_EXITKILL
    ($pid, @ours)
}

# The next stop at the entry of a call of the broker's: its number; nothing once it has ended.
my ($entered, $is_broker);
sub next_call {
    my ($pid, $stopped) = @_;
    for (my $signal = 0;;) {
        ptrace(24, $pid, $signal); # PTRACE_SYSCALL
        waitpid $pid, 0;
        return if (${^CHILD_ERROR_NATIVE} & 0xff) != 0x7f;
        $signal = ${^CHILD_ERROR_NATIVE} >> 8;
        if ($signal != 0x85) { # ignored or not, it goes by here; where it has stopped the process, nothing is known about it
            my $about = "\0" x 128;
            next if $signal != 5 && ptrace(0x4202, $pid, $about) == 0;
            $stopped->($signal) if $is_broker;
            $signal = 0;
            next;
        }
        $signal = 0;
        my $raw = "\0" x 216; ptrace(12, $pid, $raw);
        my $number = (unpack "q27", $raw)[$ORIG_RAX];
        $entered = !$entered;
        return $number if $entered && $is_broker;
        $is_broker = 1 if !$entered && $number == $EXECVE && readlink("/proc/$pid/exe") =~ m{/netbroker$};
    }
}

$| = 1;
for my $n (1 .. 1000) {
    my ($pid, @ours) = start();
    ($entered, $is_broker) = (0, 0);
    my $number = -1; # before its first
    if ($action eq "stop") {
        while (defined($number = next_call($pid, sub { print "$number $_[0]\n" }))) { kill $_, $pid for 20, 21, 22 }
        print "$n -1 ${^CHILD_ERROR_NATIVE} ", mtu(), "\n";
        exit;
    }
    for (1 .. $n) { $number = next_call($pid, sub { }) // exit }
    @ours = ();
    ptrace(17, $pid, 0); # PTRACE_DETACH
    waitpid $pid, 0;
    print "$n $number ${^CHILD_ERROR_NATIVE} ", mtu(), "\n";
}
