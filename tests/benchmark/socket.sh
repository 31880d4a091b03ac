#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The modes --socket and --socket-million of tests/bench, which reads this file.
#
# All ways have a turn in each round (tests/benchmark/socket_client.c), with clients that are processes of one user. So a client
# of rootwrap or privsep has a daemon of its own, as each agent on a machine has. Every way sets the MTU of the same link to the
# value that it has, so that the kernel's own work is least. Before that, each way must have changed it.
# shellcheck disable=SC2154 # tests/bench sets the rest

# What `pip` installs. Neutron asks for the others, whose versions change what is measured.
readonly PEERS=(neutron==29.0.0 oslo.privsep==3.12.0 oslo.rootwrap==7.10.0 pyroute2==0.9.7)
readonly MTU=1450 OTHER_MTU=1400
readonly SOCKETS=/run/netbroker
readonly venv=/run/bench/peers # Python with the peers

with_peers() { [[ $mode == socket ]] && { wanted rootwrap || wanted privsep; }; }

# Python's packages. What is there is complete, since its name is given last.
build_peers() {
    [[ ! -d $built/peers ]] || return 0
    rm -rf "$built/peers.new"
    "$python" -m venv "$built/peers.new"
    "$built/peers.new/bin/pip" install --quiet --disable-pip-version-check "${PEERS[@]}" >&2 ||
        fail "pip could not install ${PEERS[*]}"
    mv "$built/peers.new" "$built/peers"
}

# --- inside: a machine of its own ---

sudoers_of_peers() {
    echo 'Defaults env_keep += "TMPDIR"'
    echo "alice ALL=(root) NOPASSWD: $venv/bin/python $venv/bin/oslo-rootwrap-daemon *"
    echo "alice ALL=(root) NOPASSWD: $venv/bin/python $venv/bin/privsep-helper *"
}

# As an installation of Neutron has it.
own_peers() {
    mkdir "$venv"
    mount --bind "$built/peers" "$venv"
    mkdir /etc/rootwrap.d
    cat >/etc/rootwrap.conf <<END
[DEFAULT]
filters_path = /etc/rootwrap.d
exec_dirs = /sbin,/usr/sbin,/bin,/usr/bin,/usr/local/bin,/usr/local/sbin
END
    cat >/etc/rootwrap.d/l3.filters <<END
[Filters]
ip: IpFilter, ip, root
END
}

write_policy_of_socket() {
    local user
    for user in alice bob; do
        cat <<END
[[allow]]
id = "$user-sets-the-mtu"
who = ["user:$user"]
call = ["Link.Set"]
netns = ["qrouter-*"]
link = ["qr-*", "qg-*"]
mtu = ["1280..9000"]

END
    done >/etc/netbroker/policy.d/30-socket.toml
}

servers=() # the ids of their processes
end_servers() {
    ((${#servers[@]})) || return 0
    kill "${servers[@]}" 2>/dev/null || true
    wait "${servers[@]}" 2>/dev/null || true
    servers=()
}

# start_server NAME PROGRAM ARGUMENT...: sets `server` to its process id when its socket is there.
start_server() {
    local name=$1 tries
    "${@:2}" </dev/null >"/run/bench/$name.said" 2>&1 &
    server=$!
    servers+=("$server")
    for ((tries = 0; tries < 100; tries++)); do
        [[ ! -S $SOCKETS/$name ]] || return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    fail "$name did not make its socket: $(cat "/run/bench/$name.said")"
}

start_prototype() { start_server prototype "$programs/prototype" $SOCKETS/prototype "$CALLERS_GID" "$NETNS" "$LINK" $MTU; }
start_netbrokerd() { start_server netbrokerd "$programs/netbrokerd" --socket $SOCKETS/netbrokerd --group "$CALLERS_GID"; }

own_socket_scene() {
    install -d -m 1777 /run/bench/tmp
    chmod 0755 /run/bench
    # What systemd sets when a machine boots. The kernel's own value is 10.
    echo 512 >/proc/sys/net/unix/max_dgram_qlen
    install -m 0755 "$built/socket_client" "$here/benchmark/socket_client.py" /run/bench
    printf '{"method":"io.netbroker.Link.Set","parameters":{"netns":"%s","link":"%s","mtu":%s}}\0' "$NETNS" "$LINK" $MTU \
        >/run/bench/request
    printf '{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"eth0","mtu":%s}}\0' $MTU >/run/bench/refused
    ip -n "$NETNS" link set "$LINK" up mtu $MTU
    [[ ! -S /dev/log ]] || mount --bind /dev/null /dev/log # no logging daemon of the machine's hears of this
    ! with_peers || own_peers
    clients_of=(/run/bench/socket_client --caller "$ALICE_UID:$ALICE_UID:$CALLERS_GID"
        --flooder "$BOB_UID:$BOB_UID:$CALLERS_GID" --trail /run/systemd/journal/socket --request /run/bench/request)
}

# call_all ARGUMENT...: runs the clients. What they and their daemons say is shown where they fail.
call_all() { "${clients_of[@]}" "$@" 2>/run/bench/said || fail "$(tail -n 20 /run/bench/said)"; }

# Adds to `ways` those of a program. The label is what is called, the client's language, and how it calls.
describe_ways() {
    local run=("$python" /run/bench/socket_client.py) ip=(-n ip -n "$NETNS" link set "$LINK" mtu "$MTU")
    local sudo peer_python=("$venv/bin/python" /run/bench/socket_client.py)
    sudo=$(command -v sudo) || true
    case $1 in
    prototype | netbrokerd)
        ways+=("$1, C, kept" kept "$SOCKETS/$1" ';' "$1, C, each" each "$SOCKETS/$1" ';'
            "$1, Python, kept" resident "${run[@]}" kept /run/bench/request "$SOCKETS/$1" ';'
            "$1, Python, each" resident "${run[@]}" each /run/bench/request "$SOCKETS/$1" ';')
        ;;
    netbroker)
        ways+=("netbroker, C, exec" exec "$programs/netbroker" ';'
            "netbroker, Python, exec" resident "${run[@]}" exec /run/bench/request "$programs/netbroker" ';')
        ;;
    sudo) ways+=("\`sudo ip -n\`, C, exec" run "$sudo" "${ip[@]}" ';') ;;
    rootwrap)
        ways+=("oslo.rootwrap's daemon, Python, kept" resident "${peer_python[@]}" rootwrap "$NETNS" "$LINK" "$MTU"
            "$sudo" -n "$venv/bin/python" "$venv/bin/oslo-rootwrap-daemon" /etc/rootwrap.conf ';')
        ;;
    privsep)
        ways+=("oslo.privsep's daemon, Python, kept" resident "${peer_python[@]}" privsep "$NETNS" "$LINK" "$MTU"
            "$sudo" -n "$venv/bin/python" "$venv/bin/privsep-helper" ';')
        ;;
    esac
}

has_mtu() { ip -n "$NETNS" -o link show "$LINK" | grep -q " mtu $1 "; }

# That each way does what it is measured for.
prove_ways() {
    local way=() word
    for word in "${ways[@]}"; do
        way+=("$word")
        [[ $word == ';' ]] || continue
        ip -n "$NETNS" link set "$LINK" mtu $OTHER_MTU
        has_mtu $OTHER_MTU || fail "$LINK does not take an MTU"
        call_all --rounds 1 --warmup 0 --calls 1 "${way[@]}" >/dev/null
        has_mtu $MTU || fail "${way[0]}: ended well, but $LINK has another MTU"
        way=()
    done
}

measure_socket() {
    local program ways=() clients_of=() server
    own_socket_scene
    ! wanted prototype || start_prototype
    ! wanted netbrokerd || start_netbrokerd
    for program in ${only//,/ }; do
        describe_ways "$program"
    done
    prove_ways
    versions="${versions}$("$python" --version), "
    ! with_peers || versions+="${PEERS[*]}, "
    print_machine
    echo "Each client is a process. \`kept\`: one connection for all calls; \`each\`: one for each call; \`exec\`: a process for each call."
    echo
    call_all --rounds "$rounds" --warmup "$warmup" --block "$BLOCK" --clients "$clients" "${ways[@]}" >/run/bench/figures
    print_clients </run/bench/figures
    measure_flood
    print_socket_targets
}

# A client of alice's, while bob has sixteen connections and sends on each as soon as it has a reply.
measure_flood() {
    local program way flood=()
    for program in prototype netbrokerd; do
        wanted $program || continue
        for way in kept each; do
            flood+=("$program, C, $way" "$way" "$SOCKETS/$program" ';'
                "$program, C, $way, permitted flood" "$way" "$SOCKETS/$program" --flood /run/bench/request ';')
            # The prototype refuses nothing.
            [[ $program != netbrokerd ]] ||
                flood+=("$program, C, $way, refused flood" "$way" "$SOCKETS/$program" --flood /run/bench/refused ';')
        done
    done
    ((${#flood[@]})) || return 0
    echo "One client, while another user floods the same socket: 16 connections, and the next request on each reply."
    echo
    call_all --rounds "$rounds" --warmup "$warmup" --block "$BLOCK" "${flood[@]}" >/run/bench/flood
    awk -F '\t' '
        BEGIN {
            print "| called, client, connection | requests/s | p50 µs | p99 µs | × p99 without a flood | flood, requests/s |"
            print "|---|--:|--:|--:|--:|--:|"
        }
        { if (!/flood/) p99 = $6; printf "| %s | %.0f | %.0f | %.0f | %.2f | %.0f |\n", $1, $4, $5, $6, $6 / p99, $7 }
        END { print "" }
    ' /run/bench/flood
}

# A table for each number of clients. Ratios are to the prototype called from C in the same way, and to the exec way from the
# same language.
print_clients() {
    awk -F '\t' '
        function ratio(value, to) { return to ? sprintf(" %.2f |", value / to) : " – |" }
        $2 != clients { clients = $2; order[++tables] = $2 }
        { calls[$1, $2] = $4; p50[$1, $2] = $5; p99[$1, $2] = $6; row[$2, ++rows[$2]] = $1 }
        END {
            for (t = 1; t <= tables; t++) {
                n = order[t]
                printf "%d client%s\n\n", n, n == 1 ? "" : "s"
                print "| called, client, connection | requests/s | p50 µs | p99 µs | requests/s × prototype | p50 × prototype " \
                    "| requests/s × exec way | requests/s × privsep |"
                print "|---|--:|--:|--:|--:|--:|--:|--:|"
                for (r = 1; r <= rows[n]; r++) {
                    name = row[n, r]
                    split(name, is, ", ")
                    peer = "prototype, " is[2] ", " is[3]
                    printf "| %s | %.0f | %.0f | %.0f |", name, calls[name, n], p50[name, n], p99[name, n]
                    printf "%s%s%s%s\n", ratio(calls[name, n], calls[peer, n]), ratio(p50[name, n], p50[peer, n]),
                        ratio(calls[name, n], calls["netbroker, " is[2] ", exec", n]),
                        ratio(calls[name, n], calls["oslo.privsep\047s daemon, Python, kept", n])
                }
                print ""
            }
        }'
}

# Against what the project promises of itself. A figure that was not measured has no line.
print_socket_targets() {
    [[ -f /run/bench/flood ]] || : >/run/bench/flood
    awk -F '\t' '
        function most(what, value, to, limit) {
            if (value && to)
                printf "%s: %.2f, to reach: at most %s: %s\n", what, value / to, limit, (value / to <= limit ? "reached" : "MISSED")
        }
        function least(what, value, to, limit) {
            if (value && to)
                printf "%s: %.2f, to reach: at least %s: %s\n", what, value / to, limit, (value / to >= limit ? "reached" : "MISSED")
        }
        FILENAME ~ /flood$/ {
            if (!/flood/) p99_alone = $6
            else if (/^netbrokerd/) most("p99, " $1 " to the same without one", $6, p99_alone, 3)
            next
        }
        $2 != clients { clients = $2; order[++tables] = $2 }
        { calls[$1, $2] = $4; p50[$1, $2] = $5 }
        END {
            for (t = 1; t <= tables; t++) {
                n = order[t]
                with = ", " n " client" (n == 1 ? "" : "s")
                for (w = 1; w <= 2; w++) {
                    way = w == 1 ? "kept" : "each"
                    most("p50 to the prototype, " way with, p50["netbrokerd, C, " way, n], p50["prototype, C, " way, n], 1.3)
                    least("requests/s to the prototype, " way with, calls["netbrokerd, C, " way, n],
                        calls["prototype, C, " way, n], 0.75)
                    least("requests/s to the exec way, " way with, calls["netbrokerd, C, " way, n],
                        calls["netbroker, C, exec", n], 1.25)
                    least("requests/s from Python to privsep, " way with, calls["netbrokerd, Python, " way, n],
                        calls["oslo.privsep\047s daemon, Python, kept", n], 35)
                }
            }
        }' /run/bench/figures /run/bench/flood
}

# --- --socket-million ---

# Prints the memory in KiB and the number of descriptors of a process.
holds() {
    local entry descriptors=0
    for entry in "/proc/$1/fd/"*; do
        [[ ! -L $entry ]] || descriptors=$((descriptors + 1))
    done
    echo "$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status") $descriptors"
}

measure_socket_million() {
    local program clients_of=() server before after calls rate verdict verdicts=()
    own_socket_scene
    print_machine
    echo "| program | calls | requests/s | KiB before | KiB after | descriptors before | descriptors after |"
    echo "|---|--:|--:|--:|--:|--:|--:|"
    for program in ${only//,/ }; do
        "start_$program"
        call_all --clients 4 --rounds 1 --warmup 0 --calls 250 x kept "$SOCKETS/$program" ';' >/dev/null
        before=$(holds "$server")
        call_all --clients 4 --rounds 1 --warmup 0 --calls 250000 x kept "$SOCKETS/$program" ';' >/run/bench/figures
        after=$(holds "$server")
        read -r _ _ calls rate _ </run/bench/figures
        echo "| $program | $calls | ${rate%.*} | ${before% *} | ${after% *} | ${before#* } | ${after#* } |"
        if [[ ${after#* } == "${before#* }" && ${after% *} -le $((${before% *} + 64)) ]]; then verdict=flat; else verdict='NOT FLAT'; fi
        verdicts+=("$program, memory and descriptors after $calls calls: $verdict")
        end_servers
    done
    printf '\n%s\n' "${verdicts[@]}"
}
