# The fields of a call and of a kind of it, with their values. `@` stands for the names of network namespaces.
_netbrokerctl_known_fields() {
    case $1 in
@FIELDS@
    esac
}

# A field with its value. The call is the first argument of the command.
_netbrokerctl_fields() {
    local call=$line[1] kind='' word field values
    local -a given names
    for word in "${(@)words[1,CURRENT-1]}"; do
        [[ $word != *=* ]] || given+=("${word%%=*}")
        [[ $word != kind=* ]] || kind=${word#kind=}
    done
    for word in ${=$(_netbrokerctl_known_fields "$call${kind:+/$kind}")}; do
        field=${word%%=*} values=${word#*=}
        (( ${given[(Ie)$field]} )) && continue
        if [[ $PREFIX = "$field="* ]]; then
            compset -P '*='
            case $values in
            '') _message "$field" ;;
            @) compadd -- @host /run/netns/*(N:t) ;;
            *) compadd -- ${(s:,:)values} ;;
            esac
            return
        fi
        names+=("$field=")
    done
    compadd -S '' -- $names
}

# The ways to the broker, and files behind the colon of one.
_netbrokerctl_ways() {
    if compset -P '(socket|program|sudo):'; then
        _files
    else
        compadd -- @WAYS@
    fi
}

_netbrokerctl_shipped() {
    local folder=@SHIPPED@
    [[ ${words[(I)disable]} = 0 && $curcontext != *policy-command-disable* ]] || folder=@INSTALLED@
    local -a files=($folder/*.toml(N:t:r))
    compadd -- ${files:#*.test}
}

_netbrokerctl_installed() { compadd -- @INSTALLED@/*.toml(N:t) }

_netbrokerctl_callers() {
    if compset -P 'user:'; then
        _users
    else
        compadd -S '' -- user: uid:
    fi
}

_netbrokerctl_groups() {
    if compset -P 'group:'; then
        _groups
    else
        compadd -S '' -- group: gid:
    fi
}
