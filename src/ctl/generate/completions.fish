# The fields of a call and of a kind of it, with their values. `@` stands for the names of network namespaces.
function __netbrokerctl_known_fields
    switch $argv[1]
@FIELDS@
    end
end

# The words before the cursor that are neither options nor values of options.
function __netbrokerctl_words
    set -l is_value 0
    for word in (commandline -opc)[2..]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word @VALUED@
            set is_value 1
        else if not string match -q -- '-*' $word
            printf '%s\n' $word
        end
    end
end

# What the next argument is.
function __netbrokerctl_next
    switch (__netbrokerctl_words | string join ' ')
@ARGUMENTS@
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
@DESCRIBED@
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
        __netbrokerctl_policies @INSTALLED@
    else
        __netbrokerctl_policies @SHIPPED@
    end
end

function __netbrokerctl_installed
    for file in @INSTALLED@/*.toml
        path basename $file
    end
end

# The ways to the broker, and files behind the colon of one.
function __netbrokerctl_ways
    set -l given (string match -r -- '^(?:socket|program|sudo):.' (commandline -ct | string replace -r '^--via=' ''))
    test -n "$given"; and return 1
    printf '%s\n' @WAYS@
end

complete -c netbrokerctl -f
complete -c netbrokerctl -n '__netbrokerctl_is_next calls' -a '(__netbrokerctl_calls)'
complete -c netbrokerctl -n '__netbrokerctl_is_next fields' -a '(__netbrokerctl_fields)'
complete -c netbrokerctl -n '__netbrokerctl_is_next families' -a '@FAMILIES@'
complete -c netbrokerctl -n '__netbrokerctl_is_next shells' -a '@SHELLS@'
complete -c netbrokerctl -n '__netbrokerctl_is_next commands' -a '@COMMANDS@'
complete -c netbrokerctl -n '__netbrokerctl_is_next shipped' -a '(__netbrokerctl_shipped)'
complete -c netbrokerctl -n '__netbrokerctl_is_next installed' -a '(__netbrokerctl_installed)'
complete -c netbrokerctl -n '__netbrokerctl_is_next paths' -F
complete -c netbrokerctl -n '__fish_netbrokerctl_using_subcommand call bridge' -l via -r -F -a '(__netbrokerctl_ways)'
complete -c netbrokerctl -n '__fish_netbrokerctl_using_subcommand policy' -l who -x -a 'uid: user:(__fish_complete_users | string replace -r "\t.*" "")'
complete -c netbrokerctl -n '__fish_netbrokerctl_using_subcommand policy' -l group -x -a 'gid: group:(__fish_complete_groups | string replace -r "\t.*" "")'
