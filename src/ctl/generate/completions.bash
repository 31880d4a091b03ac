# The fields of a call and of a kind of it, with their values. `@` stands for the names of network namespaces.
_netbrokerctl_fields() {
    case $1 in
@FIELDS@
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
        printf '%s\n' @WAYS@
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
        @VALUED@)
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
@OPTIONS@
    *) what=free ;;
    esac
    [[ -n $what || $cur = -* ]] || case "${arguments[*]}" in
@ARGUMENTS@
    esac
    case $what in
    calls) found=$(printf '%s\n' @CALLS@) ;;
    fields)
        [[ ${arguments[0]} = call ]] || arguments=("${arguments[@]:1}")
        found=$(_netbrokerctl_assignments "${arguments[@]:1}")
        ;;
    ways) found=$(_netbrokerctl_way "$typed") ;;
    families) found=$(printf '%s\n' @FAMILIES@) ;;
    shells) found=$(printf '%s\n' @SHELLS@) ;;
    commands) found=$(printf '%s\n' @COMMANDS@) ;;
    shipped)
        case ${arguments[1]} in
        disable) found=$(_netbrokerctl_policies @INSTALLED@) ;;
        *) found=$(_netbrokerctl_policies @SHIPPED@) ;;
        esac
        ;;
    installed) found=$(cd @INSTALLED@ 2>/dev/null && compgen -G '*.toml') ;;
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
