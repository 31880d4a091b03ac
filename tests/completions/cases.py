#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Asks real shells what they complete on a command line of netbrokerctl, for tests/completions/run.

bash and zsh run at a terminal of their own. A key inserts every completion at once, and the shell then prints its line. fish
prints what it would complete.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

LONGEST = 60  # seconds until an answer, on a busy machine

# What is typed, what must be among the completions, and what must not be. The part of a word up to the last `=` or `:` is no part
# of a completion here: the shells differ in whether they repeat it.
CASES = [
    ("netbrokerctl ", ["call", "policy", "describe", "doctor"], ["check", "veth"]),
    ("netbrokerctl pol", ["policy"], ["call"]),
    ("netbrokerctl policy ", ["check", "explain", "rollback"], ["call", "monitor"]),
    ("netbrokerctl policy check --", ["--strict", "--accounts", "--json"], ["--via", "--unpin"]),
    ("netbrokerctl call --", ["--via", "--more", "--reference"], ["--strict", "--who"]),
    ("netbrokerctl call Link.", ["Link.Add", "Link.Set", "Link.List"], ["Netns.List", "Address.Add"]),
    ("netbrokerctl call --json Address.A", ["Address.Add"], ["Address.List"]),
    ("netbrokerctl call --reference Link.Add Address.A", ["Address.Add"], ["Address.List"]),
    ("netbrokerctl describe Vni.", ["Vni.Add", "Vni.List"], ["Vlan.Add"]),
    ("netbrokerctl call Link.Add ", ["netns=", "link=", "kind=", "mtu="], ["address=", "vxlan.id=", "Link.Add"]),
    ("netbrokerctl call Address.Add netns=@host ", ["link=", "address="], ["netns=", "kind=", "mtu="]),
    ("netbrokerctl call Link.Add kind=v", ["veth", "vxlan", "vlan", "vrf"], ["bridge", "true"]),
    ("netbrokerctl call Link.Add kind=vxlan vxlan.", ["vxlan.id=", "vxlan.learning="], ["vlan.id=", "mtu="]),
    ("netbrokerctl call Link.Set up=", ["true", "false"], ["veth"]),
    ("netbrokerctl call Link.Set netns=", ["@host", "blue-of-a-test"], ["true"]),
    ("netbrokerctl call Neighbour.Add state=p", ["permanent"], ["reachable"]),
    ("netbrokerctl call --via s", ["/run/netbroker/socket", "/usr/libexec/netbroker/netbroker"], []),
    ("netbrokerctl bridge --via program:/usr/libexec/", ["/usr/libexec/netbroker-of-a-test"], []),
    ("netbrokerctl policy explain --who user:roo", ["root"], []),
    ("netbrokerctl policy explain --who user:root Rule.A", ["Rule.Add"], ["Rule.List"]),
    ("netbrokerctl policy explain --who uid:7 Rule.Add netns=@host act", ["action="], ["netns="]),
    ("netbrokerctl policy check of-a-t", ["of-a-test.toml"], []),
    ("netbrokerctl policy check --accounts of-a-t", ["of-a-test.toml"], []),
    ("netbrokerctl policy test --directory fold", ["folder-of-a-test"], ["of-a-test.toml"]),
    ("netbrokerctl policy enable neutron-l", ["neutron-l3"], ["neutron-l3.toml", "neutron-l3.test"]),
    ("netbrokerctl policy disable 10", ["10-of-a-test"], ["neutron-l3"]),
    ("netbrokerctl policy edit 10", ["10-of-a-test.toml"], []),
    ("netbrokerctl generate completions ", ["bash", "zsh", "fish"], ["Link"]),
    ("netbrokerctl generate varlink L", ["Link"], ["Address"]),
    ("netbrokerctl help po", ["policy"], ["call"]),
]

BASH = r"""
bind 'set bell-style none'; bind 'set completion-query-items 0'; bind 'set page-completions off'
bind 'set enable-bracketed-paste off'
. /usr/share/bash-completion/bash_completion
"""
ZSH = r"""
autoload -U compinit; compinit -D -u
zle -C every complete-word _generic; bindkey '^Xa' every
zstyle ':completion:every:*' insert yes
zstyle ':completion:every::::' completer _all_matches _complete
unsetopt zle_bracketed_paste prompt_cr prompt_sp 2>/dev/null; unset zle_bracketed_paste
"""


class Terminal:
    """A shell at a terminal with very long lines."""

    def __init__(self, arguments, start, key):
        self.key = key
        self.received = ""
        self.process, self.file = pty.fork()
        if self.process == 0:
            environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TERM": "dumb", "PS1": "", "LC_ALL": "C.UTF-8"}
            os.execvpe(arguments[0], arguments, environment)
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 20000, 0, 0))
        for line in start.strip().splitlines():
            self.send(line + "\n")
        self.send("echo READY''\n")
        self.until(r"(?m)^READY\r?$")

    def send(self, text):
        os.write(self.file, text.encode())

    def until(self, pattern):
        end = time.monotonic() + LONGEST
        while not (found := re.search(pattern, self.received)):
            if not select.select([self.file], [], [], max(0, end - time.monotonic()))[0]:
                sys.exit(f"no answer after {LONGEST} s; received: {self.received[-2000:]!r}")
            self.received += os.read(self.file, 65536).decode(errors="replace")
        self.received = ""
        return found

    def completions(self, line):
        """The words that take the place of the last one."""
        self.send(line)
        time.sleep(0.05)
        self.send(self.key)
        self.send("\x01echo 'RESULT: \x05'\n")  # to the beginning of the line, and to its end
        text = self.until(r"(?m)^RESULT: (.*?)\r?$").group(1)
        kept = line[: line.rfind(" ") + 1]
        return text[len(kept):].split() if text.startswith(kept) else sys.exit(f"the line became {text!r}")

    def close(self):
        self.send("exit\n")
        os.close(self.file)
        os.waitpid(self.process, 0)


class Fish:
    """fish prints completions, each with a description after a tabulator."""

    def completions(self, line):
        asked = subprocess.run(
            ["fish", "-c", "complete -C $argv[1]", line],
            env={"PATH": os.environ["PATH"], "HOME": os.getcwd(), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST, check=True,
        )
        if asked.stderr:
            sys.exit(f"fish: `{line}`: {asked.stderr}")
        return [line.split("\t")[0] for line in asked.stdout.splitlines()]

    def close(self):
        pass


def failures(name, shell):
    """What is wrong with the answers of a shell."""
    for line, expected, unexpected in CASES:
        word = line.rsplit(" ", 1)[1]
        prefix = word[: max(word.rfind("="), word.rfind(":")) + 1]
        # What is completed behind a colon or a sign of equality can be repeated with it.
        found = [re.sub(r"^(socket|program|sudo|user|group):", "", w.removeprefix(prefix)).rstrip("/") for w in shell.completions(line)]
        for what in expected:
            if what not in found:
                yield f"{name}: `{line}`: `{what}` is missing: {found[:20]}"
        for what in unexpected:
            if what in found:
                yield f"{name}: `{line}`: `{what}` is one of the completions"


def main():
    wrong = []
    for name, start in [
        ("bash", lambda: Terminal(["bash", "--noprofile", "--norc", "-i"], BASH, "\x1b*")),
        ("zsh", lambda: Terminal(["zsh", "-f", "-i"], ZSH, "\x18a")),
        ("fish", Fish),
    ]:
        shell = start()
        wrong += failures(name, shell)
        shell.close()
    for line in wrong:
        print(line)
    if wrong:
        sys.exit(1)
    print(f"bash, zsh and fish complete what they should in {len(CASES)} places")


main()
