S=tf; T="tmux -L nc"
env -i TERM=xterm-256color PATH=$PATH $T -f /dev/null new-session -d -s $S -x 60 -y 40 "bash --norc --noprofile"
$T send-keys -t $S "export LC_ALL=C.UTF-8; . /tmp/newcomer/env.sh; export SCRATCH=/tmp/newcomer/s3; rm -rf \$SCRATCH/.cache; clear; exec fish --no-config" Enter; sleep 2
$T send-keys -t $S -l 'euler-files shell-init --shell fish | source; ef; echo rc=$status'; $T send-keys -t $S Enter; sleep 3;$T capture-pane -t $S -p | sed '/^$/d'; echo ------; $T send-keys -t $S C-c; sleep 1;  $T send-keys -t $S -l 'echo rc=$status B=$BIG; euler-files sync'; $T send-keys -t $S Enter; sleep 1.5; $T send-keys -t $S C-c; sleep 0.6
$T capture-pane -t $S -p | sed '/^$/d'; $T kill-session -t $S
