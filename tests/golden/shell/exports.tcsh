setenv HF_HOME '/scratch/ada/.cache/euler-files/HF_HOME';
setenv TORCH_HOME '/scratch/ada'\''s disk/a'\\'b'\!$'\n''$HOME';
unsetenv OLD_HOME;
