# SPDX-License-Identifier: Apache-2.0 OR MIT
# Made from the declarations of netbrokerctl: packaging/completions/netbrokerctl.bash

_netbrokerctl() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="netbrokerctl"
                ;;
            netbrokerctl,bridge)
                cmd="netbrokerctl__subcmd__bridge"
                ;;
            netbrokerctl,call)
                cmd="netbrokerctl__subcmd__call"
                ;;
            netbrokerctl,describe)
                cmd="netbrokerctl__subcmd__describe"
                ;;
            netbrokerctl,doctor)
                cmd="netbrokerctl__subcmd__doctor"
                ;;
            netbrokerctl,generate)
                cmd="netbrokerctl__subcmd__generate"
                ;;
            netbrokerctl,help)
                cmd="netbrokerctl__subcmd__help"
                ;;
            netbrokerctl,monitor)
                cmd="netbrokerctl__subcmd__monitor"
                ;;
            netbrokerctl,policy)
                cmd="netbrokerctl__subcmd__policy"
                ;;
            netbrokerctl__subcmd__generate,completions)
                cmd="netbrokerctl__subcmd__generate__subcmd__completions"
                ;;
            netbrokerctl__subcmd__generate,examples)
                cmd="netbrokerctl__subcmd__generate__subcmd__examples"
                ;;
            netbrokerctl__subcmd__generate,help)
                cmd="netbrokerctl__subcmd__generate__subcmd__help"
                ;;
            netbrokerctl__subcmd__generate,manual)
                cmd="netbrokerctl__subcmd__generate__subcmd__manual"
                ;;
            netbrokerctl__subcmd__generate,varlink)
                cmd="netbrokerctl__subcmd__generate__subcmd__varlink"
                ;;
            netbrokerctl__subcmd__policy,check)
                cmd="netbrokerctl__subcmd__policy__subcmd__check"
                ;;
            netbrokerctl__subcmd__policy,disable)
                cmd="netbrokerctl__subcmd__policy__subcmd__disable"
                ;;
            netbrokerctl__subcmd__policy,edit)
                cmd="netbrokerctl__subcmd__policy__subcmd__edit"
                ;;
            netbrokerctl__subcmd__policy,enable)
                cmd="netbrokerctl__subcmd__policy__subcmd__enable"
                ;;
            netbrokerctl__subcmd__policy,explain)
                cmd="netbrokerctl__subcmd__policy__subcmd__explain"
                ;;
            netbrokerctl__subcmd__policy,help)
                cmd="netbrokerctl__subcmd__policy__subcmd__help"
                ;;
            netbrokerctl__subcmd__policy,history)
                cmd="netbrokerctl__subcmd__policy__subcmd__history"
                ;;
            netbrokerctl__subcmd__policy,install)
                cmd="netbrokerctl__subcmd__policy__subcmd__install"
                ;;
            netbrokerctl__subcmd__policy,rollback)
                cmd="netbrokerctl__subcmd__policy__subcmd__rollback"
                ;;
            netbrokerctl__subcmd__policy,show)
                cmd="netbrokerctl__subcmd__policy__subcmd__show"
                ;;
            netbrokerctl__subcmd__policy,status)
                cmd="netbrokerctl__subcmd__policy__subcmd__status"
                ;;
            netbrokerctl__subcmd__policy,test)
                cmd="netbrokerctl__subcmd__policy__subcmd__test"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        netbrokerctl)
            opts="-h -V --help --version call monitor doctor bridge policy describe generate help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__bridge)
            opts="-h --via --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --via)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__call)
            opts="-h --more --reference --json --via --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --reference)
                    COMPREPLY=("${cur}")
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o nospace
                    fi
                    return 0
                    ;;
                --via)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__describe)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__doctor)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__generate)
            opts="-h --help manual varlink examples completions help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__generate__subcmd__completions)
            opts="-h --help bash zsh fish"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__generate__subcmd__examples)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__generate__subcmd__help)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__generate__subcmd__manual)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__generate__subcmd__varlink)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__help)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__monitor)
            opts="-h --uid --call --netns --rule --refused --since --lines --no-follow --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --uid)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --call)
                    COMPREPLY=("${cur}")
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o nospace
                    fi
                    return 0
                    ;;
                --netns)
                    COMPREPLY=("${cur}")
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o nospace
                    fi
                    return 0
                    ;;
                --rule)
                    COMPREPLY=("${cur}")
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o nospace
                    fi
                    return 0
                    ;;
                --since)
                    COMPREPLY=("${cur}")
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o nospace
                    fi
                    return 0
                    ;;
                --lines)
                    COMPREPLY=("${cur}")
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o nospace
                    fi
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy)
            opts="-h --help check install explain test enable disable show status edit history rollback help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__check)
            opts="-h --strict --json --accounts --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --accounts)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__disable)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__edit)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__enable)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__explain)
            opts="-h --who --group --directory --accounts --installed --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --who)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --group)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --directory)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                --accounts)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__help)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__history)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__install)
            opts="-h --directory --allow-empty --unpin --unless-pinned --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --directory)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__rollback)
            opts="-h --allow-empty --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__show)
            opts="-h --json --directory --accounts --installed --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --directory)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                --accounts)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__status)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        netbrokerctl__subcmd__policy__subcmd__test)
            opts="-h --directory --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --directory)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _netbrokerctl -o nosort -o bashdefault -o default netbrokerctl
else
    complete -F _netbrokerctl -o bashdefault -o default netbrokerctl
fi

# The fields of a call and of a kind of it, with their values. `@` stands for the names of network namespaces.
_netbrokerctl_fields() {
    case $1 in
    Netns.Add) echo 'netns=@ exists_ok=true,false' ;;
    Netns.Delete) echo 'netns=@ missing_ok=true,false' ;;
    Netns.List) echo 'netns=@' ;;
    Netns.Get) echo 'netns=@' ;;
    Netns.Set) echo 'netns=@ nsid= exists_ok=true,false' ;;
    Netns.Numbers) echo 'netns=@' ;;
    Netns.Pids) echo 'netns=@' ;;
    Link.Add/veth) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false peer.name= peer.netns=@ peer.mac= peer.mtu= peer.up=true,false' ;;
    Link.Add/bridge) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false bridge.stp=true,false bridge.forward_delay= bridge.ageing_time= bridge.hello_time= bridge.max_age= bridge.priority= bridge.group_fwd_mask= bridge.vlan_filtering=true,false bridge.vlan_protocol=ieee802_1q,ieee802_1ad bridge.vlan_default_pvid= bridge.vlan_stats_enabled=true,false bridge.mcast_snooping=true,false bridge.mcast_querier=true,false bridge.mcast_router=disabled,automatic,permanent bridge.mcast_query_use_ifaddr=true,false bridge.mcast_hash_max= bridge.mcast_last_member_count= bridge.mcast_startup_query_count= bridge.mcast_last_member_interval= bridge.mcast_membership_interval= bridge.mcast_querier_interval= bridge.mcast_query_interval= bridge.mcast_query_response_interval= bridge.mcast_startup_query_interval= bridge.mcast_stats_enabled=true,false bridge.mcast_igmp_version= bridge.mcast_mld_version=' ;;
    Link.Add/bond) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false bond.mode=balance_rr,active_backup,balance_xor,broadcast,ieee802_3ad,balance_tlb,balance_alb bond.miimon= bond.updelay= bond.downdelay= bond.arp_interval= bond.arp_ip_target= bond.primary= bond.fail_over_mac=none,active,follow bond.xmit_hash_policy=layer2,layer3_4,layer2_3,encap2_3,encap3_4,vlan_srcmac bond.all_ports_active=true,false bond.min_links= bond.lacp_rate=slow,fast bond.ad_select=stable,bandwidth,count' ;;
    Link.Add/vxlan) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= vxlan.id= vxlan.group= vxlan.remote= vxlan.local= vxlan.port= vxlan.source_port_min= vxlan.source_port_max= vxlan.ttl= vxlan.ttl_inherit=true,false vxlan.tos= vxlan.learning=true,false vxlan.proxy=true,false vxlan.collect_metadata=true,false vxlan.ageing= vxlan.df=unset,set,inherit vxlan.gbp=true,false vxlan.udp_csum=true,false vxlan.udp_zero_csum6_tx=true,false vxlan.udp_zero_csum6_rx=true,false vxlan.vnifilter=true,false' ;;
    Link.Add/macvlan) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= macvlan.mode=private,vepa,bridge,passthru,source' ;;
    Link.Add/macvtap) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= macvlan.mode=private,vepa,bridge,passthru,source' ;;
    Link.Add/ifb) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false' ;;
    Link.Add/dummy) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false' ;;
    Link.Add/vcan) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false' ;;
    Link.Add/vlan) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= vlan.id= vlan.protocol=ieee802_1q,ieee802_1ad' ;;
    Link.Add/vrf) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false vrf.table=' ;;
    Link.Add/ipvlan) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= ipvlan.mode=l2,l3,l3s ipvlan.traffic=bridge,private,vepa' ;;
    Link.Add/geneve) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false geneve.id= geneve.remote= geneve.port= geneve.ttl= geneve.tos= geneve.df=unset,set,inherit geneve.collect_metadata=true,false' ;;
    Link.Add/ipip) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.tos= tunnel.pmtudisc=true,false tunnel.protocol=any,ipv4,ipv6' ;;
    Link.Add/sit) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.tos= tunnel.pmtudisc=true,false tunnel.protocol=any,ipv4,ipv6' ;;
    Link.Add/ip6tnl) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.encap_limit= tunnel.protocol=any,ipv4,ipv6' ;;
    Link.Add/gre) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.tos= tunnel.pmtudisc=true,false gre.key= gre.csum=true,false gre.seq=true,false' ;;
    Link.Add/gretap) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.tos= tunnel.pmtudisc=true,false gre.key= gre.csum=true,false gre.seq=true,false' ;;
    Link.Add/ip6gre) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.encap_limit= gre.key= gre.csum=true,false gre.seq=true,false' ;;
    Link.Add/ip6gretap) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= tunnel.local= tunnel.remote= tunnel.ttl= tunnel.encap_limit= gre.key= gre.csum=true,false gre.seq=true,false' ;;
    Link.Add/wireguard) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false' ;;
    Link.Add/xfrm) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false parent= xfrm.if_id=' ;;
    Link.Add/netkit) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false peer.name= peer.netns=@ peer.mac= peer.mtu= peer.up=true,false netkit.mode=l2,l3' ;;
    Link.Add/tun) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false tun.mode=tun,tap tun.owner= tun.no_owner=true,false tun.group= tun.multi_queue=true,false tun.vnet_hdr=true,false' ;;
    Link.Add) echo 'netns=@ link= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun target_netns=@ mtu= mac= master= up=true,false alias= group= txqueuelen= tx_queues= rx_queues= addrgenmode=eui64,none,stable_privacy,random exists_ok=true,false' ;;
    Link.Delete) echo 'netns=@ link= index= missing_ok=true,false' ;;
    Link.Set) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can' ;;
    Link.Set/bridge) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can bridge.stp=true,false bridge.forward_delay= bridge.ageing_time= bridge.hello_time= bridge.max_age= bridge.priority= bridge.group_fwd_mask= bridge.vlan_filtering=true,false bridge.vlan_protocol=ieee802_1q,ieee802_1ad bridge.vlan_default_pvid= bridge.vlan_stats_enabled=true,false bridge.mcast_snooping=true,false bridge.mcast_querier=true,false bridge.mcast_router=disabled,automatic,permanent bridge.mcast_query_use_ifaddr=true,false bridge.mcast_hash_max= bridge.mcast_last_member_count= bridge.mcast_startup_query_count= bridge.mcast_last_member_interval= bridge.mcast_membership_interval= bridge.mcast_querier_interval= bridge.mcast_query_interval= bridge.mcast_query_response_interval= bridge.mcast_startup_query_interval= bridge.mcast_stats_enabled=true,false bridge.mcast_igmp_version= bridge.mcast_mld_version=' ;;
    Link.Set/bond) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can bond.mode=balance_rr,active_backup,balance_xor,broadcast,ieee802_3ad,balance_tlb,balance_alb bond.miimon= bond.updelay= bond.downdelay= bond.arp_interval= bond.arp_ip_target= bond.primary= bond.fail_over_mac=none,active,follow bond.xmit_hash_policy=layer2,layer3_4,layer2_3,encap2_3,encap3_4,vlan_srcmac bond.all_ports_active=true,false bond.min_links= bond.lacp_rate=slow,fast bond.ad_select=stable,bandwidth,count' ;;
    Link.Set/vxlan) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can parent= vxlan.group= vxlan.remote= vxlan.local= vxlan.ttl= vxlan.tos= vxlan.learning=true,false vxlan.ageing= vxlan.df=unset,set,inherit' ;;
    Link.Set/macvlan) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can macvlan.mode=private,vepa,bridge,passthru,source' ;;
    Link.Set/macvtap) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can macvlan.mode=private,vepa,bridge,passthru,source' ;;
    Link.Set/ipvlan) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can ipvlan.mode=l2,l3,l3s ipvlan.traffic=bridge,private,vepa' ;;
    Link.Set/geneve) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can geneve.remote= geneve.ttl= geneve.tos= geneve.df=unset,set,inherit' ;;
    Link.Set/can) echo 'netns=@ link= up=true,false mtu= mac= alias= new_name= target_netns=@ master= no_master=true,false arp=true,false multicast=true,false allmulticast=true,false promisc=true,false txqueuelen= group= addrgenmode=eui64,none,stable_privacy,random protodown=true,false remove_altname= add_altname= bridge_port.priority= bridge_port.cost= bridge_port.hairpin=true,false bridge_port.guard=true,false bridge_port.root_block=true,false bridge_port.learning=true,false bridge_port.flood=true,false bridge_port.mcast_flood=true,false bridge_port.vlan_tunnel=true,false bridge_port.neigh_suppress=true,false bridge_port.isolated=true,false bridge_port.locked=true,false vf.index= vf.mac= vf.vlan= vf.qos= vf.rate_min= vf.rate_max= vf.spoofchk=true,false vf.link_state=auto,enable,disable vf.trust=true,false kind=bridge,bond,vxlan,macvlan,macvtap,ipvlan,geneve,can can.bitrate= can.sample_point= can.listen_only=true,false can.restart_ms=' ;;
    Link.List) echo 'netns=@ link= index= kind=veth,bridge,bond,vxlan,macvlan,macvtap,ifb,dummy,vcan,vlan,vrf,ipvlan,geneve,ipip,sit,ip6tnl,gre,gretap,ip6gre,ip6gretap,wireguard,xfrm,netkit,tun,can master= group= up=true,false with_vfs=true,false with_stats=true,false' ;;
    Address.Add) echo 'netns=@ link= address= broadcast= scope=global,site,link,host,nowhere label= peer_address= nodad=true,false optimistic=true,false noprefixroute=true,false home_address=true,false mngtmpaddr=true,false autojoin=true,false valid_lifetime= preferred_lifetime= metric= protocol= exists_ok=true,false' ;;
    Address.Replace) echo 'netns=@ link= address= broadcast= scope=global,site,link,host,nowhere label= peer_address= nodad=true,false optimistic=true,false noprefixroute=true,false home_address=true,false mngtmpaddr=true,false autojoin=true,false valid_lifetime= preferred_lifetime= metric= protocol=' ;;
    Address.Flush) echo 'netns=@ link= address= peer_address= family=inet,inet6 scope=global,site,link,host,nowhere label=' ;;
    Address.Delete) echo 'netns=@ link= address= peer_address= missing_ok=true,false' ;;
    Address.List) echo 'netns=@ link= index= family=inet,inet6 scope=global,site,link,host,nowhere' ;;
    Route.Add) echo 'netns=@ destination= source= family=inet,inet6 gateway= link= table= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= tos= pref=medium,high,low expires= nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels= exists_ok=true,false' ;;
    Route.Replace) echo 'netns=@ destination= source= family=inet,inet6 gateway= link= table= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= tos= pref=medium,high,low expires= nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels=' ;;
    Route.Delete) echo 'netns=@ destination= source= table= tos= family=inet,inet6 gateway= link= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= pref=medium,high,low nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels= one_nexthop=true,false missing_ok=true,false' ;;
    Route.Append) echo 'netns=@ destination= source= family=inet,inet6 gateway= link= table= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= tos= pref=medium,high,low expires= nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels=' ;;
    Route.Flush) echo 'netns=@ table= destination= source= tos= family=inet,inet6 gateway= link= metric= scope=global,site,link,host,nowhere protocol= route_type=unicast,local,broadcast,blackhole,unreachable,prohibit,throw preferred_source= onlink=true,false mtu= mtu_lock=true,false advmss= hoplimit= initcwnd= initrwnd= pref=medium,high,low nexthops= nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels=' ;;
    Route.Get) echo 'netns=@ destination= source= iif= oif= fwmark= tos= uid=' ;;
    Route.List) echo 'netns=@ family=inet,inet6 table= link= gateway= nexthops.link= destination= protocol= scope=global,site,link,host,nowhere nexthop_id= encap.kind=mpls,ip,ip6 encap.id= encap.destination= encap.source= encap.ttl= encap.tos= encap.labels=' ;;
    Neighbour.Add) echo 'netns=@ link= address= mac= state=none,incomplete,reachable,stale,delay,probe,failed,noarp,permanent proxy=true,false router=true,false extern_learn=true,false managed=true,false use=true,false protocol= exists_ok=true,false' ;;
    Neighbour.Replace) echo 'netns=@ link= address= mac= state=none,incomplete,reachable,stale,delay,probe,failed,noarp,permanent proxy=true,false router=true,false extern_learn=true,false managed=true,false use=true,false protocol=' ;;
    Neighbour.Delete) echo 'netns=@ link= address= proxy=true,false missing_ok=true,false' ;;
    Neighbour.Flush) echo 'netns=@ link= address= family=inet,inet6 states= proxy=true,false' ;;
    Neighbour.Get) echo 'netns=@ link= address= proxy=true,false' ;;
    Neighbour.List) echo 'netns=@ link= index= family=inet,inet6 proxy=true,false' ;;
    Rule.Add) echo 'netns=@ family=inet,inet6 priority= source= destination= iif= oif= fwmark= fwmask= tos= ip_protocol= source_ports= destination_ports= uids= l3mdev=true,false invert=true,false table= action=unspec,to_table,goto,blackhole,unreachable,prohibit goto= suppress_prefixlength= suppress_ifgroup= protocol= exists_ok=true,false' ;;
    Rule.Delete) echo 'netns=@ family=inet,inet6 priority= source= destination= iif= oif= fwmark= fwmask= tos= ip_protocol= source_ports= destination_ports= uids= l3mdev=true,false invert=true,false table= action=unspec,to_table,goto,blackhole,unreachable,prohibit goto= suppress_prefixlength= suppress_ifgroup= protocol= missing_ok=true,false' ;;
    Rule.Flush) echo 'netns=@ family=inet,inet6 priorities= protocol= source= destination= iif= oif= fwmark= fwmask= tos= ip_protocol= source_ports= destination_ports= uids= l3mdev=true,false invert=true,false table= action=unspec,to_table,goto,blackhole,unreachable,prohibit goto= suppress_prefixlength= suppress_ifgroup=' ;;
    Rule.List) echo 'netns=@ family=inet,inet6' ;;
    Fdb.Add) echo 'netns=@ link= mac= targets= vlan= remote= port= vni= source_vni= via= fdb_state=permanent,static,dynamic extern_learn=true,false sticky=true,false exists_ok=true,false' ;;
    Fdb.Append) echo 'netns=@ link= mac= targets= remote= port= vni= source_vni= via= fdb_state=permanent,static,dynamic extern_learn=true,false' ;;
    Fdb.Replace) echo 'netns=@ link= mac= targets= vlan= remote= port= vni= source_vni= via= fdb_state=permanent,static,dynamic extern_learn=true,false sticky=true,false' ;;
    Fdb.Delete) echo 'netns=@ link= mac= targets= vlan= remote= port= vni= source_vni= via= missing_ok=true,false' ;;
    Fdb.Flush) echo 'netns=@ link= mac= targets= vlan= remote= port= vni= source_vni= via= fdb_state=permanent,static,dynamic' ;;
    Fdb.List) echo 'netns=@ link= index=' ;;
    Nexthop.Add) echo 'netns=@ nexthop_id= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol= members= exists_ok=true,false' ;;
    Nexthop.Replace) echo 'netns=@ nexthop_id= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol= members=' ;;
    Nexthop.Delete) echo 'netns=@ nexthop_id= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol= missing_ok=true,false' ;;
    Nexthop.Flush) echo 'netns=@ nexthop_ids= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol=' ;;
    Nexthop.List) echo 'netns=@ nexthop_ids= family=inet,inet6 gateway= link= onlink=true,false blackhole=true,false fdb=true,false protocol= master=' ;;
    Vlan.Add) echo 'netns=@ link= vlans= pvid=true,false untagged=true,false tunnel_ids= target=self,master exists_ok=true,false' ;;
    Vlan.Replace) echo 'netns=@ link= vlans= pvid=true,false untagged=true,false tunnel_ids= target=self,master' ;;
    Vlan.Delete) echo 'netns=@ link= vlans= target=self,master missing_ok=true,false' ;;
    Vlan.List) echo 'netns=@ link= index=' ;;
    Vni.Add) echo 'netns=@ link= vnis= remote= exists_ok=true,false' ;;
    Vni.Delete) echo 'netns=@ link= vnis= missing_ok=true,false' ;;
    Vni.List) echo 'netns=@ link= index=' ;;
    esac
}

# The files of a folder that are policies, without their ending.
_netbrokerctl_policies() {
    local file
    for file in "$1"/*.toml; do
        [[ -e $file && $file != *.test.toml ]] && file=${file##*/} && printf '%s\n' "${file%.toml}"
    done
}

# What can be a field with its value, behind the words that were given.
_netbrokerctl_assignments() {
    local call=$1 kind='' word field values value given=' ' file
    shift
    for word; do
        given+="${word%%=*} "
        [[ $word = kind=* ]] && kind=${word#kind=}
    done
    for field in $(_netbrokerctl_fields "$call${kind:+/$kind}"); do
        values=${field#*=} field=${field%%=*}
        [[ $given != *" $field "* ]] || continue
        if [[ $cur != "$field="* || -z $values ]]; then
            printf '%s=\n' "$field"
        elif [[ $values = @ ]]; then
            printf '%s=@host\n' "$field"
            for file in /run/netns/*; do [[ -e $file ]] && printf '%s=%s\n' "$field" "${file##*/}"; done
        else
            for value in ${values//,/ }; do printf '%s=%s\n' "$field" "$value"; done
        fi
    done
}

# _netbrokerctl_way TEXT: ways to the broker, and files behind the colon of one.
_netbrokerctl_way() {
    if [[ $1 = @(socket|program|sudo):?* ]]; then
        compgen -P "${1%%:*}:" -f -- "${1#*:}"
    else
        printf '%s\n' socket:/run/netbroker/socket program:/usr/libexec/netbroker/netbroker sudo:/usr/libexec/netbroker/netbroker
    fi
}

# The function of clap_complete knows commands and options. This one knows their values and the other arguments. Bash splits
# words at `=` and `:`, so that only the part after the last of them is completed.
_netbrokerctl_completed() {
    local cur prev words cword
    if declare -F _comp_get_words >/dev/null; then
        _comp_get_words -n =: cur prev words cword
    else
        _get_comp_words_by_ref -n =: cur prev words cword
    fi
    local arguments=() index option='' what='' found typed=$cur
    for ((index = 1; index < cword; index++)); do
        case ${words[index]} in
        --accounts | --call | --directory | --group | --lines | --netns | --reference | --rule | --since | --uid | --via | --who)
            option=${words[index]}
            ((++index))
            ;;
        -*) ;;
        *) arguments+=("${words[index]}") ;;
        esac
    done
    ((index > cword)) || option=
    [[ $cur != --*=* ]] || option=${cur%%=*} typed=${cur#*=}
    case $option in
    '') ;;
    --accounts) what=paths ;;
    --call) what=free ;;
    --directory) what=directories ;;
    --group) what=groups ;;
    --lines) what=free ;;
    --netns) what=free ;;
    --reference) what=free ;;
    --rule) what=free ;;
    --since) what=free ;;
    --uid) what=users ;;
    --via) what=ways ;;
    --who) what=callers ;;
    *) what=free ;;
    esac
    [[ -n $what || $cur = -* ]] || case "${arguments[*]}" in
    'call') what=calls ;;
    'call'' '*) what=fields ;;
    'describe') what=calls ;;
    'generate completions') what=shells ;;
    'generate help') what=commands ;;
    'generate varlink') what=families ;;
    'help') what=commands ;;
    'policy check') what=paths ;;
    'policy check'' '*) what=paths ;;
    'policy disable') what=shipped ;;
    'policy edit') what=installed ;;
    'policy enable') what=shipped ;;
    'policy explain') what=calls ;;
    'policy explain'' '*) what=fields ;;
    'policy help') what=commands ;;
    'policy rollback') what=free ;;
    'policy test') what=paths ;;
    'policy test'' '*) what=paths ;;
    esac
    case $what in
    calls) found=$(printf '%s\n' Netns.Add Netns.Delete Netns.List Netns.Get Netns.Set Netns.Numbers Netns.Pids Link.Add Link.Delete Link.Set Link.List Address.Add Address.Replace Address.Flush Address.Delete Address.List Route.Add Route.Replace Route.Delete Route.Append Route.Flush Route.Get Route.List Neighbour.Add Neighbour.Replace Neighbour.Delete Neighbour.Flush Neighbour.Get Neighbour.List Rule.Add Rule.Delete Rule.Flush Rule.List Fdb.Add Fdb.Append Fdb.Replace Fdb.Delete Fdb.Flush Fdb.List Nexthop.Add Nexthop.Replace Nexthop.Delete Nexthop.Flush Nexthop.List Vlan.Add Vlan.Replace Vlan.Delete Vlan.List Vni.Add Vni.Delete Vni.List) ;;
    fields)
        [[ ${arguments[0]} = call ]] || arguments=("${arguments[@]:1}")
        found=$(_netbrokerctl_assignments "${arguments[@]:1}")
        ;;
    ways) found=$(_netbrokerctl_way "$typed") ;;
    families) found=$(printf '%s\n' Netns Link Address Route Neighbour Rule Fdb Nexthop Vlan Vni) ;;
    shells) found=$(printf '%s\n' bash zsh fish) ;;
    commands) found=$(printf '%s\n' call monitor doctor bridge policy describe generate help) ;;
    shipped)
        case ${arguments[1]} in
        disable) found=$(_netbrokerctl_policies /etc/netbroker/policy.d) ;;
        *) found=$(_netbrokerctl_policies /usr/share/netbroker/policies) ;;
        esac
        ;;
    installed) found=$(cd /etc/netbroker/policy.d 2>/dev/null && compgen -G '*.toml') ;;
    users) found=$(compgen -u) ;;
    callers) found=$(compgen -P user: -u; echo uid:) ;;
    groups) found=$(compgen -P group: -g; echo gid:) ;;
    paths | directories)
        compopt -o filenames 2>/dev/null
        [[ $what = paths ]] && found=$(compgen -f -- "$typed") || found=$(compgen -d -- "$typed")
        ;;
    free) found= ;;
    *)
        _netbrokerctl "$@"
        return
        ;;
    esac
    compopt +o default +o bashdefault 2>/dev/null
    local shown=${typed%"$2"} IFS=$'\n' word
    COMPREPLY=()
    for word in $found; do
        [[ $word = "$typed"* ]] || continue
        COMPREPLY+=("${word#"$shown"}")
        [[ $word != *[=:] ]] || compopt -o nospace 2>/dev/null
    done
    return 0
}

complete -F _netbrokerctl_completed -o bashdefault -o default netbrokerctl
