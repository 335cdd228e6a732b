true;
set -gx HF_HOME '/scratch/ada/.cache/euler-files/HF_HOME';
set -gx TORCH_HOME '/scratch/ada'\''s disk/a'\\'b!'\n'$HOME';
set -qg OLD_HOME; and set -eg OLD_HOME; or true;
and true;
