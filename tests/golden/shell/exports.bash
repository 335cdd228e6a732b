export HF_HOME='/scratch/ada/.cache/euler-files/HF_HOME';
export TORCH_HOME='/scratch/ada'\''s disk/a'\\'b!
$HOME';
unset OLD_HOME;
