// Secrets that log a person in: tokens, passwords and private keys that tools keep in variables' directories. They stay at
// the source, because scratch is shared and purged. Each rule is anchored where a tool puts its secret: a file `token` in a
// dataset, `tokenizer.json` and certifi's `cacert.pem` are data. Pure.

/** A directory in which a tool keeps secrets. */
interface SecretDirectory {
  /** Relative to the home directory; empty for the home directory itself. */
  readonly path: string;
  /** The variables that name it. */
  readonly variables?: readonly string[];
  /** Patterns of the secrets in it, relative; a trailing `/` means a directory. */
  readonly secrets: readonly string[];
}

/**
 * Where tools keep secrets, each with the source of the information:
 * - Hugging Face: huggingface_hub/constants.py (HF_TOKEN_PATH, HF_STORED_TOKENS_PATH); `~/.huggingface` before 0.11
 * - XDG_CACHE_HOME: R's gargle (gargle_oauth_cache) and PyDrive2, which DVC uses (docs of dvc remote, Google Drive)
 * - ModelScope: modelscope/hub/constants.py (DEFAULT_CREDENTIALS_PATH)
 * - Kaggle: documentation of the kaggle API (API credentials)
 * - Ollama: docs/faq (the key of `ollama push`)
 * - Cargo: The Cargo Book, Cargo Home (credentials.toml)
 * - uv: docs/concepts/authentication (the credentials store)
 * - Julia: documentation of Pkg, Authentication (servers/HOST/auth.toml)
 * - Apptainer: User Guide, Remote Endpoints and Key commands; Singularity before it
 * - Docker: docker login, dockerd TLS (key.pem); podman, skopeo, buildah: containers-auth.json(5)
 * - AWS CLI: User Guide, Configuration and credential file settings; gcloud: application default credentials; Azure CLI: docs of
 *   the MSAL token cache; Earth Engine: ee/oauth.py; NGC CLI: ngc config set
 * - curl(1) and wandb login write `.netrc`, git-credential-store(1) `.git-credentials`, twine `.pypirc`, npm login `.npmrc`
 */
const DIRECTORIES: readonly SecretDirectory[] = [
  { path: ".cache/huggingface", variables: ["HF_HOME"], secrets: ["token", "stored_tokens"] },
  { path: ".huggingface", secrets: ["token"] },
  { path: ".cache", variables: ["XDG_CACHE_HOME"], secrets: ["gargle/", "pydrive2fs/"] },
  { path: ".modelscope", secrets: ["credentials/"] },
  {
    path: ".kaggle",
    variables: ["KAGGLE_CONFIG_DIR"],
    secrets: ["kaggle.json", "access_token", "credentials.json"],
  },
  { path: ".config/kaggle", secrets: ["kaggle.json", "access_token", "credentials.json"] },
  { path: ".ollama", secrets: ["id_ed25519"] },
  { path: ".cargo", variables: ["CARGO_HOME"], secrets: ["credentials", "credentials.toml"] },
  { path: ".local/share/uv", secrets: ["credentials/"] },
  { path: ".julia", variables: ["JULIA_DEPOT_PATH"], secrets: ["servers/*/auth.toml"] },
  {
    path: ".apptainer",
    variables: ["APPTAINER_CONFIGDIR"],
    secrets: ["docker-config.json", "remote.yaml", "keys/pgp-secret"],
  },
  {
    path: ".singularity",
    variables: ["SINGULARITY_CONFIGDIR"],
    secrets: ["docker-config.json", "remote.yaml", "sypgp/pgp-secret"],
  },
  { path: ".docker", variables: ["DOCKER_CONFIG"], secrets: ["config.json", "key.pem"] },
  { path: ".config/containers", secrets: ["auth.json"] },
  { path: ".aws", secrets: ["credentials", "sso/cache/", "cli/cache/"] },
  {
    path: ".config/gcloud",
    variables: ["CLOUDSDK_CONFIG"],
    secrets: ["credentials.db", "access_tokens.db", "application_default_credentials.json", "legacy_credentials/"],
  },
  {
    path: ".azure",
    variables: ["AZURE_CONFIG_DIR"],
    secrets: ["accessTokens.json", "msal_token_cache.*", "service_principal_entries.*"],
  },
  { path: ".config/earthengine", secrets: ["credentials"] },
  { path: ".ngc", secrets: ["config"] },
  { path: "", secrets: [".netrc", ".git-credentials", ".pypirc", ".npmrc", ".ssh/"] },
  { path: ".config", variables: ["XDG_CONFIG_HOME"], secrets: [] },
  { path: ".local/share", variables: ["XDG_DATA_HOME"], secrets: [] },
];

/** Names at the top of any variable's source that are secrets in most tools: those of the tools above, and private keys. */
const ANYWHERE = [".netrc", ".git-credentials", "auth.json", "credentials", "credentials.json", "credentials.toml"];
const PRIVATE_KEYS = ["*key.pem"];

/** Variables with their sources as configured. */
export type Sources = Readonly<Record<string, { readonly source?: string | undefined }>>;

/**
 * The patterns of secrets for a variable of a configuration, each anchored at its source: those of the tool that the variable's
 * name or the end of its path belongs to, and those of other variables' directories below it. They match files alone, and
 * directories if `/` follows.
 */
export function secretPatterns(name: string, vars: Sources): readonly string[] {
  const source = written(vars[name]?.source);
  const below = Object.entries(vars).flatMap(([other, variable]) => {
    const inner = written(variable.source);
    if (other === name || source === undefined || inner === undefined || !inner.startsWith(`${source}/`)) return [];
    return toolSecrets(other, inner).map((secret) => `${asPattern(inner.slice(source.length + 1))}/${secret}`);
  });
  const all = [...toolSecrets(name, source), ...below, ...ANYWHERE, ...PRIVATE_KEYS];
  return [...new Set(all)].map((secret) => `/${secret}`);
}

/** A source as it is written, without slashes at its end. */
export function written(source: string | undefined): string | undefined {
  return source?.replace(/(?<=[^/])\/+$/, "");
}

/** A pattern that matches only this path. Backslashes are escapes only if the pattern has other special characters. */
export function asPattern(path: string): string {
  return /[*?[]/.test(path) ? path.replaceAll(/[*?[\\]/g, "\\$&") : path;
}

/** The secrets of tools in a directory and below it, relative to it. */
function toolSecrets(name: string, source: string | undefined): string[] {
  const own = DIRECTORIES.find(({ variables }) => variables?.includes(name))?.path ?? homePath(source);
  if (own === undefined) return [];
  return DIRECTORIES.flatMap(({ path, secrets }) => {
    const isBelow = own === "" || path === own || path.startsWith(`${own}/`);
    if (!isBelow) return [];
    const way = own === "" ? path : path.slice(own.length + 1);
    return secrets.map((secret) => way === "" ? secret : `${way}/${secret}`);
  });
}

const HOME = /^(~|\$HOME|\$\{HOME\})$/;

/** The directory of a tool, or a parent of such directories, that the end of a path matches; undefined for all others. */
function homePath(source: string | undefined): string | undefined {
  if (source === undefined) return undefined;
  if (HOME.test(source)) return "";
  return DIRECTORIES.map(({ path }) => path)
    .filter((known) => known !== "" && source.endsWith(`/${known}`))
    .toSorted((one, other) => other.length - one.length)[0];
}

/** The variable that gives huggingface_hub another path of the token than in HF_HOME. */
export const HF_TOKEN_PATH = "HF_TOKEN_PATH";

/** The path of the token below the directory that one of these variables names. */
export const HF_TOKEN_BELOW: Readonly<Record<string, string>> = {
  HF_HOME: "token",
  XDG_CACHE_HOME: "huggingface/token",
};
