// Which variables must not be managed. Pointing one of them at a cache would break the session, or, if other users write to the
// cache, run their programs. From bash(1), zshparam(1), fish's and tcsh's own variables, environ(7), ld.so(8), iconv(1) and the
// manuals of the interpreters. Pure.

/** For each reason the variables it applies to. */
const RESERVED: Readonly<Record<string, readonly string[]>> = {
  "it decides which programs are found": ["PATH"],
  "it names the home directory": ["HOME"],
  "the shell keeps it": ["PWD", "OLDPWD", "UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS"],
  "it names the login shell": ["SHELL"],
  "it names the user": ["USER", "LOGNAME"],
  "the shell splits words by it": ["IFS"],
  "shells run the file it names": ["ENV", "BASH_ENV"],
  "shells run files in the directory it names": ["ZDOTDIR"],
  "shells run what is in it": ["PS4", "PROMPT_COMMAND"],
  "zsh runs what is in it": ["PROMPT"],
  "zsh finds functions by it": ["FPATH", "fpath"],
  "the shell changes directories by it": ["CDPATH"],
  "the shell expands patterns by it": ["GLOBIGNORE"],
  "the shell looks for mail by it": ["MAIL", "MAILPATH"],
  "the shell writes its history to it": ["HISTFILE"],
  "the shell reads its keys from it": ["INPUTRC"],
  "programs start what it names": ["EDITOR", "VISUAL", "PAGER", "BROWSER"],
  "zsh, fish and tcsh keep it": ["status", "argv"],
  "zsh and tcsh find programs by it": ["path"],
  "zsh and tcsh change directories by it": ["cdpath"],
  "zsh ties it to MANPATH": ["manpath"],
  "tcsh keeps it": ["cwd", "shell", "term", "user"],
  "tcsh knows the home directory by it": ["home"],
  "fish, zsh and tcsh keep it": ["history"],
  "zsh and tcsh show it": ["prompt"],
  "zsh and fish keep it": ["pipestatus"],
  "fish and tcsh keep it": ["version"],
  "it names the terminal": ["TERM"],
  "programs read how to drive the terminal from it": ["TERMINFO"],
  "it names the language": ["LANG"],
  "it names the time zone": ["TZ"],
  "libc reads time zones from it": ["TZDIR"],
  "libc loads locales from it": ["LOCPATH"],
  "libc reads messages from it": ["NLSPATH"],
  "libc loads code from it": ["GCONV_PATH"],
  "libc reads it": ["RESOLV_HOST_CONF", "HOSTALIASES"],
  "libc finds programs in it": ["GETCONF_DIR"],
  "tar takes its text as options": ["TAR_OPTIONS"],
  "gzip takes its text as options": ["GZIP"],
  "it changes what programs do": ["POSIXLY_CORRECT"],
  "programs are found beside it": ["MANPATH"],
  "`module` runs files in it": ["MODULEPATH", "MODULESHOME"],
  "`module` starts what it names": ["LMOD_CMD"],
  "Java loads code from it": ["CLASSPATH"],
  "Java takes its text as options": ["JAVA_TOOL_OPTIONS"],
  "Node takes its text as options": ["NODE_OPTIONS"],
  "Node loads code from it": ["NODE_PATH"],
  "Perl loads code from it": ["PERL5LIB"],
  "Perl takes its text as options": ["PERL5OPT"],
  "Ruby loads code from it": ["RUBYLIB"],
  "Ruby takes its text as options": ["RUBYOPT"],
  "R runs the file it names": ["R_PROFILE", "R_PROFILE_USER"],
  "Lua loads code from it": ["LUA_PATH"],
  "Lua runs what is in it": ["LUA_INIT"],
  "it names the job's own devices": ["CUDA_VISIBLE_DEVICES"],
  "it names the scratch itself": ["SCRATCH"],
  "it names the job's own temporary directory": ["TMPDIR"],
};

const RESERVED_PREFIXES: Readonly<Record<string, string>> = {
  LD_: "the program loader goes by it",
  GLIBC_: "libc goes by it",
  MALLOC_: "libc goes by it",
  BASH_: "the shell goes by it",
  ZSH_: "the shell goes by it",
  fish_: "the shell goes by it",
  LC_: "it names the language",
  RSYNC_: "rsync goes by it",
  GIT_: "git goes by it",
  SSH_: "ssh goes by it",
  SLURM_: "Slurm keeps it",
  EULER_FILES_: "euler-files itself goes by it",
};

/** Those of Python's own variables that name a directory of cached or installed files. */
const PYTHON_CACHES = ["PYTHONPYCACHEPREFIX", "PYTHONUSERBASE", "PYTHON_EGG_CACHE"];

/** Why a variable of this name must not be managed, or undefined if it may be. */
export function reasonAgainstVariable(name: string): string | undefined {
  const reason = Object.entries(RESERVED).find(([, names]) => names.includes(name))?.[0];
  if (reason !== undefined) return reason;
  if (name.startsWith("PYTHON") && !PYTHON_CACHES.includes(name)) return "Python goes by it";
  return Object.entries(RESERVED_PREFIXES).find(([prefix]) => name.startsWith(prefix))?.[1];
}
