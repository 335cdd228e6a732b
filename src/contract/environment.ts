// The environment variables that this program reads, for the schema of the command line.

/** One of them. */
export interface EnvironmentVariable {
  readonly name: string;
  readonly help: string;
}

/** Those that change what the program does. Variables in paths of the configuration (`$SCRATCH`) come besides. */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: "EULER_FILES_CONFIG", help: "The configuration, if --config is not given" },
  { name: "EULER_FILES_SHELL", help: "The shell whose syntax is printed, if --shell is not given: a name or a path" },
  { name: "VENV_DIR", help: "Directory of the environments, if neither an option nor the configuration names one" },
  { name: "UV_CACHE_DIR", help: "uv's cache, if neither an option nor the configuration names one" },
  { name: "TMPDIR", help: "The disk of the node, if node_base is not configured" },
  { name: "HOME", help: "Where ~ leads; read from the user database if it is not set" },
  { name: "NO_COLOR", help: "If not empty: no colours" },
  { name: "FORCE_COLOR", help: "If not empty: colours also where there is no terminal" },
  { name: "CLICOLOR_FORCE", help: "The same as FORCE_COLOR" },
];
