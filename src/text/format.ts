// Numbers and names as people read them. Pure.

const SIZE_UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/** A size the way `du -h` would say it, 1024-based: `812 B`, `1.5 KB`, `20 GB`. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1024 && unit < SIZE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 10 ? 0 : 1;
  const rounded = value.toFixed(digits);
  // 1023.7 KB would read "1024 KB".
  return rounded === "1024" && unit < SIZE_UNITS.length - 1
    ? `1.0 ${SIZE_UNITS[unit + 1]}`
    : `${rounded} ${SIZE_UNITS[unit]}`;
}

/** A whole number with separated thousands: `12,345`. */
export function formatCount(count: number): string {
  return Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 file`, `12,345 files`. */
export function formatFiles(files: number): string {
  return `${formatCount(files)} ${files === 1 ? "file" : "files"}`;
}

/** `1 package`, `1,200 packages`. Pure. */
export function formatPackages(packages: number): string {
  return `${formatCount(packages)} ${packages === 1 ? "package" : "packages"}`;
}

/** `2 files and 1 directory`, from the type of each. */
export function formatNames(names: readonly { readonly type: "file" | "directory" }[]): string {
  const directories = names.filter(({ type }) => type === "directory").length;
  const files = names.length - directories;
  const second = `${formatCount(directories)} ${directories === 1 ? "directory" : "directories"}`;
  return [...(files === 0 ? [] : [formatFiles(files)]), ...(directories === 0 ? [] : [second])].join(" and ");
}

/** A span of time in its largest unit, floored: `45s`, `12m`, `3h`, `9d`. Negative spans count as none. */
export function formatAge(ageSeconds: number): string {
  const age = Math.max(0, Math.floor(ageSeconds));
  if (age < 60) return `${age}s`;
  if (age < 3600) return `${Math.floor(age / 60)}m`;
  if (age < 86400) return `${Math.floor(age / 3600)}h`;
  return `${Math.floor(age / 86400)}d`;
}

/** `2026-11-26 03:10`, in the time zone of the person. */
export function formatTime(seconds: number): string {
  const time = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** How long something took: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`. */
export function formatDuration(durationSeconds: number): string {
  if (durationSeconds < 10) return `${durationSeconds.toFixed(1)} s`;
  const seconds = Math.round(durationSeconds);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
}

/** Text from outside (file names, a program's output) with control characters made visible, so that no terminal obeys them. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what this is about
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\n]/g, (character) => {
    if (character === "\n") return "\\n";
    return "\\x" + character.charCodeAt(0).toString(16).padStart(2, "0");
  });
}

/** Some names for a sentence, the rest as a number: `a, b, c and 7 more`. `others`: how many exist besides the names. */
export function listSome(names: readonly string[], limit = 5, others = 0): string {
  const shown = names.slice(0, limit).map(printable).join(", ");
  const more = Math.max(0, names.length - limit) + others;
  if (more === 0) return shown;
  return shown === "" ? `${formatCount(more)} of them` : `${shown} and ${formatCount(more)} more`;
}

/** How many files a message names, if the person did not ask for all. */
export const NAMED_FILES = 10;

/** A line for each of the first files, with the reason; then the number of the others. */
export function reasonLines(files: readonly { readonly path: string; readonly reason: string }[]): string[] {
  const more = files.length - NAMED_FILES;
  return [
    ...files.slice(0, NAMED_FILES).map(({ path, reason }) => `${printable(path || ".")}: ${printable(reason)}`),
    ...(more > 0 ? [`and ${formatCount(more)} more`] : []),
  ];
}

/** A word to paste into a shell: unquoted if that is safe, else in single quotes. For hints, not for eval. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,.\/-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * Text without the user names and passwords of the addresses in it: `https://***@host/simple`. A name alone may be a token,
 * but not in an ssh address.
 */
export function withoutCredentials(text: string): string {
  return text.replace(
    /([a-z][a-z0-9+.-]*):\/\/([^/?#\s"'@]+)@/gi,
    (whole, scheme: string, user: string) => /ssh$/i.test(scheme) && !user.includes(":") ? whole : `${scheme}://***@`,
  );
}
