# SPDX-License-Identifier: Apache-2.0 OR MIT
# Made from the declarations of netbrokerctl: packaging/completions/netbrokerctl.fish

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_netbrokerctl_global_optspecs
    string join \n h/help V/version
end

function __fish_netbrokerctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_netbrokerctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_netbrokerctl_using_subcommand
    set -l cmd (__fish_netbrokerctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -s V -l version -d 'Print version'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -f -a "call" -d 'Send one call to the broker'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -f -a "monitor" -d 'Show the decisions of the broker as they are made, one line for each'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -f -a "doctor" -d 'Say what of the installation is missing or wrong, and the command that mends it'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -f -a "bridge" -d 'Relay Varlink messages between standard input and output, or a passed socket, and the broker'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -f -a "policy" -d 'Check, test, explain, edit and install policies'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -f -a "describe" -d 'Show the reference of a call, or list all calls'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -f -a "generate" -d 'Print a file of the source tree that is generated from the declarations of the calls'
complete -c netbrokerctl -n "__fish_netbrokerctl_needs_command" -f -a "help" -d 'Print the help of a command'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand call" -l reference -d 'Your own id of the request, which is recorded in the trail' -r -f
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand call" -l via -d 'How to reach the broker: connect to a socket, start a program, or start it with `sudo -n`; default: `socket:/run/netbroker/socket` if a listener is there, otherwise `program:/usr/libexec/netbroker/netbroker`' -r
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand call" -l more -d 'Request several replies, each with some elements of the list'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand call" -l json -d 'Print each result on one line'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand call" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l uid -d 'Show only the decisions about this user: a number or a name; can be repeated' -r -f -a "(__fish_complete_users)"
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l call -d 'Show only calls that match this pattern, such as `Link.*`; can be repeated' -r -f
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l netns -d 'Show only requests that name a matching network namespace; can be repeated' -r -f
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l rule -d 'Show only what a matching rule decided; can be repeated' -r -f
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l since -d 'Begin with all decisions since this time, such as `-1h`, `today` or `2026-11-20 17:00` (journalctl(1))' -r -f
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l lines -d 'Begin with this many earlier decisions; default: 10, or all with `--since`' -r -f
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l refused -d 'Show only refusals'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l no-follow -d 'End after the earlier decisions'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -l json -d 'Print each decision as a JSON object on one line'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand monitor" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand bridge" -l via -d 'How to reach the broker: connect to a socket, or start a program for each request, itself or with `sudo -n`; default: `socket:/run/netbroker/socket` if a listener is there, otherwise `program:/usr/libexec/netbroker/netbroker`' -r
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand bridge" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "check" -d 'Check policy files as one policy, without changing anything'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "install" -d 'Check the policy and put it in force (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "explain" -d 'Explain which rule decides a call, without sending the call'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "test" -d 'Run the tests of a policy, and list the rules that no test reaches'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "enable" -d 'Link a shipped policy into the policy directory (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "disable" -d 'Remove the link to a shipped policy (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "show" -d 'Show the effective rules, with sets expanded and accounts resolved'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "status" -d 'Show which policy is in force, since when, and whether the files have changed (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "edit" -d 'Edit a file of the policy, and save it if the whole policy is valid (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "history" -d 'List the last policies that were put in force (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "rollback" -d 'Put an earlier policy in force again, and pin it (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and not __fish_seen_subcommand_from check install explain test enable disable show status edit history rollback help" -f -a "help" -d 'Print the help of a command'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from check" -l accounts -d 'A file whose `[accounts]` table replaces the users and groups of this machine' -r -F
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from check" -l strict -d 'Treat warnings as errors'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from check" -l json -d 'Print errors and warnings as one JSON object'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from install" -l directory -d 'The directory of the policy files' -r -f -a "(__fish_complete_directories)"
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from install" -l allow-empty -d 'Allow a policy without rules, which refuses every call, to replace one with rules'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from install" -l unpin -d 'Replace a pinned policy, and end the pin'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from install" -l unless-pinned -d 'Succeed without a change if a pinned policy is in force'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from install" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from explain" -l who -d 'The caller: `user:NAME` with the groups of NAME, or `uid:N` without groups' -r
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from explain" -l group -d 'An additional group of the caller: `group:NAME` or `gid:N`' -r
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from explain" -l directory -d 'The directory of the policy files' -r -f -a "(__fish_complete_directories)"
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from explain" -l accounts -d 'A file whose `[accounts]` table replaces the users and groups of this machine' -r -F
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from explain" -l installed -d 'Use the policy in force instead of the files (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from test" -l directory -d 'The directory of the policy files; default: that of FILE, or /etc/netbroker/policy.d' -r -f -a "(__fish_complete_directories)"
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from enable" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from disable" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from show" -l directory -d 'The directory of the policy files' -r -f -a "(__fish_complete_directories)"
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from show" -l accounts -d 'A file whose `[accounts]` table replaces the users and groups of this machine' -r -F
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON object'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from show" -l installed -d 'Show the policy in force instead of the files (root only)'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from edit" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from rollback" -l allow-empty -d 'Allow a policy without rules, which refuses every call, to replace one with rules'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand policy; and __fish_seen_subcommand_from help" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand describe" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and not __fish_seen_subcommand_from manual varlink examples completions help" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and not __fish_seen_subcommand_from manual varlink examples completions help" -f -a "manual" -d 'netbroker-calls(7): packaging/man/netbroker-calls.7'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and not __fish_seen_subcommand_from manual varlink examples completions help" -f -a "varlink" -d 'The description of an interface: packaging/varlink/io.netbroker.FAMILY.varlink'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and not __fish_seen_subcommand_from manual varlink examples completions help" -f -a "examples" -d 'The examples of netbroker-calls(7), each as JSON on a line'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and not __fish_seen_subcommand_from manual varlink examples completions help" -f -a "completions" -d 'The completions of a shell: packaging/completions'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and not __fish_seen_subcommand_from manual varlink examples completions help" -f -a "help" -d 'Print the help of a command'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and __fish_seen_subcommand_from manual" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and __fish_seen_subcommand_from varlink" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and __fish_seen_subcommand_from examples" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and __fish_seen_subcommand_from completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand generate; and __fish_seen_subcommand_from help" -s h -l help -d 'Print help'
complete -c netbrokerctl -n "__fish_netbrokerctl_using_subcommand help" -s h -l help -d 'Print help'

# The fields of a call and of a kind of it, with their values. `@` stands for the names of network namespaces.
function __netbrokerctl_known_fields
    switch $argv[1]
        case Netns.Add
            string split ' ' 'netns=@ exists_ok=true,false'
        case Netns.Delete
            string split ' ' 'netns=@ missing_ok=true,false'
        case Netns.List
            string split ' ' 'netns=@'
        case Netns.Get
            string split ' ' 'netns=@'
        case Netns.Set
            string split ' ' 'netns=@ nsid= exists_ok=true,false'
        case Netns.Numbers
            string split ' ' 'netns=@'
        case Netns.Pids
            string split ' ' 'netns=@'
        case Link.Add/veth
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false peer.name= peer.netns=@ peer.mac= peer.mtu= peer.up=true,false'
        case Link.Add/bridge
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false bridge.stp=true,false bridge.forward_delay= bridge.ageing_time= bridge.hello_time= bridge.max_age= bridge.priority= bridge.group_fwd_mask= bridge.vlan_filtering=true,false bridge.vlan_protocol=ieee802_1q,ieee802_1ad bridge.vlan_default_pvid= bridge.vlan_stats_enabled=true,false bridge.mcast_snooping=true,false bridge.mcast_querier=true,false bridge.mcast_router=disabled,automatic,permanent bridge.mcast_query_use_ifaddr=true,false bridge.mcast_hash_max= bridge.mcast_last_member_count= bridge.mcast_startup_query_count= bridge.mcast_last_member_interval= bridge.mcast_membership_interval= bridge.mcast_querier_interval= bridge.mcast_query_interval= bridge.mcast_query_response_interval= bridge.mcast_startup_query_interval= bridge.mcast_stats_enabled=true,false bridge.mcast_igmp_version= bridge.mcast_mld_version='
        case Link.Add/bond
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false bond.mode=balance_rr,active_backup,balance_xor,broadcast,ieee802_3ad,balance_tlb,balance_alb bond.miimon= bond.updelay= bond.downdelay= bond.arp_interval= bond.arp_ip_target= bond.primary= bond.fail_over_mac=none,active,follow bond.xmit_hash_policy=layer2,layer3_4,layer2_3,encap2_3,encap3_4,vlan_srcmac bond.all_ports_active=true,false bond.min_links= bond.lacp_rate=slow,fast bond.ad_select=stable,bandwidth,count'
        case Link.Add/vxlan
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= vxlan.id= vxlan.group= vxlan.remote= vxlan.local= vxlan.port= vxlan.source_port_min= vxlan.source_port_max= vxlan.ttl= vxlan.ttl_inherit=true,false vxlan.tos= vxlan.learning=true,false vxlan.proxy=true,false vxlan.collect_metadata=true,false vxlan.ageing= vxlan.df=unset,set,inherit vxlan.gbp=true,false vxlan.udp_csum=true,false vxlan.udp_zero_csum6_tx=true,false vxlan.udp_zero_csum6_rx=true,false vxlan.vnifilter=true,false'
        case Link.Add/macvlan
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= macvlan.mode=private,vepa,bridge,passthru,source'
        case Link.Add/macvtap
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= macvlan.mode=private,vepa,bridge,passthru,source'
        case Link.Add/ifb
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false'
        case Link.Add/dummy
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false'
        case Link.Add/vcan
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false'
        case Link.Add/vlan
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= vlan.id= vlan.protocol=ieee802_1q,ieee802_1ad'
        case Link.Add/vrf
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false vrf.table='
        case Link.Add/ipvlan
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= ipvlan.mode=l2,l3,l3s ipvlan.traffic=bridge,private,vepa'
        case Link.Add/geneve
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false geneve.id= geneve.remote= geneve.port= geneve.ttl= geneve.tos= geneve.df=unset,set,inherit geneve.collect_metadata=true,false'
        case Link.Add/ipip
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.tos= tunnel.pmtudisc=true,false tunnel.protocol=any,ipv4,ipv6'
        case Link.Add/sit
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.tos= tunnel.pmtudisc=true,false tunnel.protocol=any,ipv4,ipv6'
        case Link.Add/ip6tnl
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.encap_limit= tunnel.protocol=any,ipv4,ipv6'
        case Link.Add/gre
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.tos= tunnel.pmtudisc=true,false gre.key= gre.csum=true,false gre.seq=true,false'
        case Link.Add/gretap
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.tos= tunnel.pmtudisc=true,false gre.key= gre.csum=true,false gre.seq=true,false'
        case Link.Add/ip6gre
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.encap_limit= gre.key= gre.csum=true,false gre.seq=true,false'
        case Link.Add/ip6gretap
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.encap_limit= gre.key= gre.csum=true,false gre.seq=true,false'
        case Link.Add/wireguard
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false'
        case Link.Add/xfrm
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= xfrm.if_id='
        case Link.Add/netkit
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false peer.name= peer.netns=@ peer.mac= peer.mtu= peer.up=true,false netkit.mode=l2,l3'
        case Link.Add/tun
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false tun.mode=tun,tap tun.owner= tun.no_owner=true,false tun.group= tun.multi_queue=true,false tun.vnet_hdr=true,false'
        case Link.Add
            string split ' ' 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false'
        case Link.Delete
            string split ' ' 'netns=@ link= index= missing_ok=true,false'
        case Link.Set
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can'
        case Link.Set/bridge
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can bridge.stp=true,false bridge.forward_delay= bridge.ageing_time= bridge.hello_time= bridge.max_age= bridge.priority= bridge.group_fwd_mask= bridge.vlan_filtering=true,false bridge.vlan_protocol=ieee802_1q,ieee802_1ad bridge.vlan_default_pvid= bridge.vlan_stats_enabled=true,false bridge.mcast_snooping=true,false bridge.mcast_querier=true,false bridge.mcast_router=disabled,automatic,permanent bridge.mcast_query_use_ifaddr=true,false bridge.mcast_hash_max= bridge.mcast_last_member_count= bridge.mcast_startup_query_count= bridge.mcast_last_member_interval= bridge.mcast_membership_interval= bridge.mcast_querier_interval= bridge.mcast_query_interval= bridge.mcast_query_response_interval= bridge.mcast_startup_query_interval= bridge.mcast_stats_enabled=true,false bridge.mcast_igmp_version= bridge.mcast_mld_version='
        case Link.Set/bond
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can bond.mode=balance_rr,active_backup,balance_xor,broadcast,ieee802_3ad,balance_tlb,balance_alb bond.miimon= bond.updelay= bond.downdelay= bond.arp_interval= bond.arp_ip_target= bond.primary= bond.fail_over_mac=none,active,follow bond.xmit_hash_policy=layer2,layer3_4,layer2_3,encap2_3,encap3_4,vlan_srcmac bond.all_ports_active=true,false bond.min_links= bond.lacp_rate=slow,fast bond.ad_select=stable,bandwidth,count'
        case Link.Set/vxlan
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can parent= vxlan.group= vxlan.remote= vxlan.local= vxlan.ttl= vxlan.tos= vxlan.learning=true,false vxlan.ageing= vxlan.df=unset,set,inherit'
        case Link.Set/macvlan
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can macvlan.mode=private,vepa,bridge,passthru,source'
        case Link.Set/macvtap
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can macvlan.mode=private,vepa,bridge,passthru,source'
        case Link.Set/ipvlan
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can ipvlan.mode=l2,l3,l3s ipvlan.traffic=bridge,private,vepa'
        case Link.Set/geneve
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can geneve.remote= geneve.ttl= geneve.tos= geneve.df=unset,set,inherit'
        case Link.Set/can
            string split ' ' 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can can.bitrate= can.sample_point= can.listen_only=true,false can.restart_ms='
        case Link.List
            string split ' ' 'netns=@ link= index= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun,can master= group= up=true,false with_vfs=true,false with_stats=true,false'
        case Address.Add
            string split ' ' 'netns=@ link= address= broadcast= scope=global,site,link,host,nowhere label= peer_address= nodad=true,false optimistic=true,false noprefixroute=true,false home_address=true,false mngtmpaddr=true,false autojoin=true,false valid_lifetime= preferred_lifetime= metric= protocol= exists_ok=true,false'
        case Address.Replace
            string split ' ' 'netns=@ link= address= broadcast= scope=global,site,link,host,nowhere label= peer_address= nodad=true,false optimistic=true,false noprefixroute=true,false home_address=true,false mngtmpaddr=true,false autojoin=true,false valid_lifetime= preferred_lifetime= metric= protocol='
        case Address.Flush
            string split ' ' 'netns=@ link= address= peer_address= family=inet,inet6 scope=global,site,link,host,nowhere label='
        case Address.Delete
            string split ' ' 'netns=@ link= address= peer_address= missing_ok=true,false'
        case Address.List
            string split ' ' 'netns=@ link= index= family=inet,inet6 scope=global,site,link,host,nowhere'
        case Route.Add
            string split ' ' 'netns=@ destination= source= family=inet,inet6 gateway= link= table= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= tos= pref=medium,high,low expires= nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels= exists_ok=true,false'
        case Route.Replace
            string split ' ' 'netns=@ destination= source= family=inet,inet6 gateway= link= table= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= tos= pref=medium,high,low expires= nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels='
        case Route.Delete
            string split ' ' 'netns=@ destination= source= table= tos= family=inet,inet6 gateway= link= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= pref=medium,high,low nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels= one_nexthop=true,false missing_ok=true,false'
        case Route.Append
            string split ' ' 'netns=@ destination= source= family=inet,inet6 gateway= link= table= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= tos= pref=medium,high,low expires= nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels='
        case Route.Flush
            string split ' ' 'netns=@ table= destination= source= tos= family=inet,inet6 gateway= link= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= pref=medium,high,low nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels='
        case Route.Get
            string split ' ' 'netns=@ destination= source= iif= oif= fwmark= tos= uid='
        case Route.List
            string split ' ' 'netns=@ family=inet,inet6 table= link= gateway= nexthops.link= destination= protocol= scope=global,site,link,host,nowhere nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels='
        case Neighbour.Add
            string split ' ' 'netns=@ link= address= mac= state=none,incomplete,reachable,stale,delay,probe,failed,noarp,permanent proxy=true,false router=true,false extern_learn=true,false managed=true,false use=true,false protocol= exists_ok=true,false'
        case Neighbour.Replace
            string split ' ' 'netns=@ link= address= mac= state=none,incomplete,reachable,stale,delay,probe,failed,noarp,permanent proxy=true,false router=true,false extern_learn=true,false managed=true,false use=true,false protocol='
        case Neighbour.Delete
            string split ' ' 'netns=@ link= address= proxy=true,false missing_ok=true,false'
        case Neighbour.Flush
            string split ' ' 'netns=@ link= address= family=inet,inet6 states= proxy=true,false'
        case Neighbour.Get
            string split ' ' 'netns=@ link= address= proxy=true,false'
        case Neighbour.List
            string split ' ' 'netns=@ link= index= family=inet,inet6 proxy=true,false'
        case Rule.Add
            string split ' ' 'netns=@ family=inet,inet6 priority= source= destination= iif= oif= fwmark= fwmask= tos= ip_protocol= source_ports= destination_ports= uids= l3mdev=true,false invert=true,false table= action=unspec,to_table,goto,blackhole,unreachable,prohibit goto= suppress_prefixlength= suppress_ifgroup= protocol= exists_ok=true,false'
        case Rule.Delete
            string split ' ' 'netns=@ family=inet,inet6 priority= source= destination= iif= oif= fwmark= fwmask= tos= ip_protocol= source_ports= destination_ports= uids= l3mdev=true,false invert=true,false table= action=unspec,to_table,goto,blackhole,unreachable,prohibit goto= suppress_prefixlength= suppress_ifgroup= protocol= missing_ok=true,false'
        case Rule.Flush
            string split ' ' 'netns=@ family=inet,inet6 priorities= protocol= source= destination= iif= oif= fwmark= fwmask= tos= ip_protocol= source_ports= destination_ports= uids= l3mdev=true,false invert=true,false table= action=unspec,to_table,goto,blackhole,unreachable,prohibit goto= suppress_prefixlength= suppress_ifgroup='
        case Rule.List
            string split ' ' 'netns=@ family=inet,inet6'
        case Fdb.Add
            string split ' ' 'netns=@ link= mac= targets= vlan= remote= port= vni= source_vni= via= fdb_state=permanent,static,dynamic extern_learn=true,false sticky=true,false exists_ok=true,false'
        case Fdb.Append
            string split ' ' 'netns=@ link= mac= targets= remote= port= vni= source_vni= via= fdb_state=permanent,static,dynamic extern_learn=true,false'
        case Fdb.Replace
            string split ' ' 'netns=@ link= mac= targets= vlan= remote= port= vni= source_vni= via= fdb_state=permanent,static,dynamic extern_learn=true,false sticky=true,false'
        case Fdb.Delete
            string split ' ' 'netns=@ link= mac= targets= vlan= remote= port= vni= source_vni= via= missing_ok=true,false'
        case Fdb.Flush
            string split ' ' 'netns=@ link= mac= targets= vlan= remote= port= vni= source_vni= via= fdb_state=permanent,static,dynamic'
        case Fdb.List
            string split ' ' 'netns=@ link= index='
        case Nexthop.Add
            string split ' ' 'netns=@ nexthop_id= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol= members= exists_ok=true,false'
        case Nexthop.Replace
            string split ' ' 'netns=@ nexthop_id= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol= members='
        case Nexthop.Delete
            string split ' ' 'netns=@ nexthop_id= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol= missing_ok=true,false'
        case Nexthop.Flush
            string split ' ' 'netns=@ nexthop_ids= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol='
        case Nexthop.List
            string split ' ' 'netns=@ nexthop_ids= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol= master='
        case Vlan.Add
            string split ' ' 'netns=@ link= vlans= pvid=true,false untagged=true,false tunnel_ids= target=self,master exists_ok=true,false'
        case Vlan.Replace
            string split ' ' 'netns=@ link= vlans= pvid=true,false untagged=true,false tunnel_ids= target=self,master'
        case Vlan.Delete
            string split ' ' 'netns=@ link= vlans= target=self,master missing_ok=true,false'
        case Vlan.List
            string split ' ' 'netns=@ link= index='
        case Vni.Add
            string split ' ' 'netns=@ link= vnis= remote= exists_ok=true,false'
        case Vni.Delete
            string split ' ' 'netns=@ link= vnis= missing_ok=true,false'
        case Vni.List
            string split ' ' 'netns=@ link= index='
    end
end

# The words before the cursor that are neither options nor values of options.
function __netbrokerctl_words
    set -l is_value 0
    for word in (commandline -opc)[2..]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word --accounts --call --directory --group --lines --netns --reference --rule --since --uid --via --who
            set is_value 1
        else if not string match -q -- '-*' $word
            printf '%s\n' $word
        end
    end
end

# What the next argument is.
function __netbrokerctl_next
    switch (__netbrokerctl_words | string join ' ')
        case 'call'
            echo calls
        case 'call *'
            echo fields
        case 'describe'
            echo calls
        case 'generate completions'
            echo shells
        case 'generate help'
            echo commands
        case 'generate varlink'
            echo families
        case 'help'
            echo commands
        case 'policy check'
            echo paths
        case 'policy check *'
            echo paths
        case 'policy disable'
            echo shipped
        case 'policy edit'
            echo installed
        case 'policy enable'
            echo shipped
        case 'policy explain'
            echo calls
        case 'policy explain *'
            echo fields
        case 'policy help'
            echo commands
        case 'policy rollback'
            echo free
        case 'policy test'
            echo paths
        case 'policy test *'
            echo paths
    end
end

function __netbrokerctl_is_next
    test "$(__netbrokerctl_next)" = $argv[1]
end

# A field with its value.
function __netbrokerctl_fields
    set -l words (__netbrokerctl_words)
    test $words[1] = call; or set -e words[1]
    set -l call $words[2]
    set -l kind (string match -r -g -- '^kind=(.*)' $words)
    test -n "$kind"; and set call $call/$kind[1]
    set -l given (string match -r -g -- '^([^=]*)=' $words)
    set -l token (commandline -ct)
    for word in (__netbrokerctl_known_fields $call)
        set -l field (string replace -r '=.*' '' -- $word)
        set -l values (string replace -r '^[^=]*=' '' -- $word)
        contains -- $field $given; and continue
        if test -z "$values"; or not string match -q -- "$field=*" $token
            echo $field=
        else if test $values = @
            echo $field=@host
            for file in /run/netns/*
                echo $field=(path basename $file)
            end
        else
            printf "$field=%s\n" (string split , $values)
        end
    end
end

function __netbrokerctl_calls
    printf '%b\n' \
        'Netns.Add\tCreates a network namespace and mounts it under /run/netns, as ip netns add does' \
        'Netns.Delete\tDeletes the name of a network namespace, as ip netns delete does' \
        'Netns.List\tLists the names under /run/netns' \
        'Netns.Get\tReports whether a network namespace is ready, and the number (nsid) by which @host knows it' \
        'Netns.Set\tSets the number (nsid) by which @host knows a network namespace, as ip netns set does' \
        'Netns.Numbers\tLists the numbers (nsid) by which a network namespace knows others, as ip netns list-id does' \
        'Netns.Pids\tLists the processes that are in a network namespace, as ip netns pids does' \
        'Link.Add\tAdds a virtual link' \
        'Link.Delete\tDeletes a virtual link, by its name or by its index' \
        'Link.Set\tChanges a link' \
        'Link.List\tLists the links of a namespace' \
        'Address.Add\tAdds an address to a link' \
        'Address.Replace\tAdds an address to a link, or changes the existing one that has the same address and peer_address: its lifetimes, metric and protocol, and of an IPv6 address also nodad, noprefixroute, home_address and mngtmpaddr' \
        'Address.Flush\tDeletes the addresses of a link that match all given fields' \
        'Address.Delete\tDeletes an address from a link' \
        'Address.List\tLists the addresses of a namespace' \
        'Route.Add\tAdds a route' \
        'Route.Replace\tAdds a route, or replaces the route with the same destination, source, table, metric and tos' \
        'Route.Delete\tDeletes a route: the first one to destination in table that matches all given fields' \
        'Route.Append\tAdds a route after the existing routes with the same destination, source, table, metric and tos' \
        'Route.Flush\tDeletes the routes of table that match all given fields, of both families if none is given' \
        'Route.Get\tReports the route that the kernel would choose for a packet, by the routing rules and tables' \
        'Route.List\tLists routes: those of table, or of all tables' \
        'Neighbour.Add\tAdds a neighbour of a link' \
        'Neighbour.Replace\tAdds a neighbour of a link, or replaces the existing entry with the same link and address' \
        'Neighbour.Delete\tDeletes a neighbour of a link, or with proxy a proxy entry' \
        'Neighbour.Flush\tDeletes the neighbours of a link that match all given fields, or with proxy its proxy entries' \
        'Neighbour.Get\tReports a neighbour of a link, or with proxy a proxy entry' \
        'Neighbour.List\tLists the neighbours of a namespace in all states' \
        'Rule.Add\tAdds a routing rule' \
        'Rule.Delete\tDeletes a routing rule: the first one with this family and priority that matches all given fields' \
        'Rule.Flush\tDeletes all routing rules with this family that match all given fields' \
        'Rule.List\tLists routing rules: those of family, or of both families' \
        'Fdb.Add\tAdds an entry to a forwarding database: frames for mac leave through link' \
        'Fdb.Append\tAdds a destination to the entry of a vxlan for a group of hosts, or adds the entry' \
        'Fdb.Replace\tAdds an entry, or replaces the existing one' \
        'Fdb.Delete\tDeletes the entry of mac on a link' \
        'Fdb.Flush\tDeletes the entries of a link that match all given fields' \
        'Fdb.List\tLists the entries of the forwarding databases of a namespace' \
        'Nexthop.Add\tAdds a nexthop object' \
        'Nexthop.Replace\tAdds a nexthop object, or replaces the one with the same nexthop_id' \
        'Nexthop.Delete\tDeletes the nexthop object with this number, if it matches all given fields' \
        'Nexthop.Flush\tDeletes the nexthop objects that match all given fields, or all of them if none is given' \
        'Nexthop.List\tLists the nexthop objects that match all given fields' \
        'Vlan.Add\tAdds VLANs to a port of a bridge, or with target self to the bridge itself' \
        'Vlan.Replace\tAdds VLANs as Vlan.Add does, or changes pvid and untagged of existing ones, as bridge vlan add does' \
        'Vlan.Delete\tDeletes VLANs of a port of a bridge, or with target self those of the bridge itself' \
        'Vlan.List\tLists the VLANs of all bridges and their ports' \
        'Vni.Add\tAdds VNIs to those that a vxlan with vxlan.vnifilter receives' \
        'Vni.Delete\tDeletes VNIs from those that a vxlan with vxlan.vnifilter receives' \
        'Vni.List\tLists the VNIs of every vxlan with vxlan.vnifilter'
end

# The files of a folder that are policies, without their ending.
function __netbrokerctl_policies
    for file in $argv[1]/*.toml
        string match -q -- '*.test.toml' $file; or path basename $file | string replace -r '\.toml$' ''
    end
end

function __netbrokerctl_shipped
    set -l words (__netbrokerctl_words)
    if test "$words[2]" = disable
        __netbrokerctl_policies /etc/netbroker/policy.d
    else
        __netbrokerctl_policies /usr/share/netbroker/policies
    end
end

function __netbrokerctl_installed
    for file in /etc/netbroker/policy.d/*.toml
        path basename $file
    end
end

# The ways to the broker, and files behind the colon of one.
function __netbrokerctl_ways
    set -l given (string match -r -- '^(?:socket|program|sudo):.' (commandline -ct | string replace -r '^--via=' ''))
    test -n "$given"; and return 1
    printf '%s\n' socket:/run/netbroker/socket program:/usr/libexec/netbroker/netbroker sudo:/usr/libexec/netbroker/netbroker
end

complete -c netbrokerctl -f
complete -c netbrokerctl -n '__netbrokerctl_is_next calls' -a '(__netbrokerctl_calls)'
complete -c netbrokerctl -n '__netbrokerctl_is_next fields' -a '(__netbrokerctl_fields)'
complete -c netbrokerctl -n '__netbrokerctl_is_next families' -a 'Netns Link Address Route Neighbour Rule Fdb Nexthop Vlan Vni'
complete -c netbrokerctl -n '__netbrokerctl_is_next shells' -a 'bash zsh fish'
complete -c netbrokerctl -n '__netbrokerctl_is_next commands' -a 'call monitor doctor bridge policy describe generate help'
complete -c netbrokerctl -n '__netbrokerctl_is_next shipped' -a '(__netbrokerctl_shipped)'
complete -c netbrokerctl -n '__netbrokerctl_is_next installed' -a '(__netbrokerctl_installed)'
complete -c netbrokerctl -n '__netbrokerctl_is_next paths' -F
complete -c netbrokerctl -n '__fish_netbrokerctl_using_subcommand call bridge' -l via -r -F -a '(__netbrokerctl_ways)'
complete -c netbrokerctl -n '__fish_netbrokerctl_using_subcommand policy' -l who -x -a 'uid: user:(__fish_complete_users | string replace -r "\t.*" "")'
complete -c netbrokerctl -n '__fish_netbrokerctl_using_subcommand policy' -l group -x -a 'gid: group:(__fish_complete_groups | string replace -r "\t.*" "")'
