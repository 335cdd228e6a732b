// One task's progress as a line of text of a given width: what is done, the rate, the time left. Pure.
import { FILE_COST_BYTES, type Progress, shareDone } from "../contract/events.ts";
import { formatCount, formatDuration, formatFiles, formatSize } from "../text/format.ts";

/** A task's progress, and what its rate is measured from. Times are milliseconds of one clock. */
export interface Track {
  readonly progress: Progress;
  /** When this phase was first seen, and how far it was then. */
  readonly start: { readonly at: number; readonly filesDone: number; readonly bytesDone: number };
  /** In how many different seconds of the phase the numbers have changed. */
  readonly moves: number;
  readonly movedAt: number;
}

/**
 * The track after a report. Waiting and comparing have no part in the rate: it is measured from the start of each phase, and
 * again from the moment when this process takes over from another job.
 */
export function follow(before: Track | undefined, progress: Progress, now: number): Track {
  const { phase, filesDone, bytesDone, elapsedSeconds } = progress;
  if (
    before === undefined || before.progress.phase !== phase ||
    (before.progress.elapsedSeconds === undefined) !== (elapsedSeconds === undefined)
  ) {
    return { progress, start: { at: now, filesDone, bytesDone }, moves: 0, movedAt: now };
  }
  const isMove = now - before.movedAt >= 1000 &&
    (filesDone > before.progress.filesDone || bytesDone > before.progress.bytesDone);
  return isMove ? { ...before, progress, moves: before.moves + 1, movedAt: now } : { ...before, progress };
}

/** Less than a fiftieth of the work predicts the rest badly, unless it has moved steadily for some seconds. */
const TELLING_SHARE = 0.02;
const STEADY_MOVES = 5;

/**
 * A line such as `copying 45%  1,200 of 3,400 files  1.2 GB of 2.6 GB  80 MB/s  18 s left`. If that is wider than `columns`,
 * the least useful parts are left out; percent, rate and the time left are kept longest.
 */
export function describeProgress(track: Track, now: number, columns = Infinity): string {
  const { phase, filesDone, filesTotal, bytesDone, bytesTotal = 0, filesSeen } = track.progress;
  const share = shareDone(track.progress);
  const percent = share === undefined ? undefined : `${Math.floor(share * 100)}%`;
  const head = percent === undefined ? phase : `${phase} ${percent}`;
  const isLooking = filesTotal === undefined && filesDone === 0;
  const someFiles = !isLooking
    ? formatFiles(filesDone)
    : filesSeen === undefined
    ? undefined
    : `${formatCount(filesSeen)} seen`;
  const files = filesTotal !== undefined
    ? `${formatCount(filesDone)} of ${formatFiles(filesTotal)}`
    : isLooking && filesSeen !== undefined
    ? `${formatFiles(filesSeen)} looked at`
    : someFiles;
  const someBytes = bytesDone > 0 ? formatSize(bytesDone) : undefined;
  const bytes = bytesTotal > 0 ? `${formatSize(bytesDone)} of ${formatSize(bytesTotal)}` : someBytes;
  const { rate, left } = paceOf(track, share, now);
  // While large files are copied the bytes say more than the count.
  const [counts, fewer] = bytesDone > filesDone * FILE_COST_BYTES ? [bytes, someBytes] : [files, someFiles];
  const lines = [
    [head, files, bytes, rate, left],
    [head, counts, rate, left],
    [head, fewer, rate, left],
    [head, rate, left],
    [percent ?? phase, rate, left],
    [percent ?? phase, left],
    [percent ?? phase],
  ].map((parts) => parts.filter((part) => part !== undefined).join("  "));
  return lines.find((line) => line.length <= columns) ?? lines.at(-1)!;
}

/** The rate and the time left, each only if it can be estimated. */
function paceOf(
  { progress, start, moves }: Track,
  share: number | undefined,
  now: number,
): { readonly rate?: string; readonly left?: string } {
  const isOthers = progress.elapsedSeconds !== undefined;
  const seconds = progress.elapsedSeconds ?? (now - start.at) / 1000;
  // Another job's numbers are divided by the whole time that it has run.
  const before = isOthers ? { filesDone: 0, bytesDone: 0 } : start;
  const bytes = progress.bytesDone - before.bytesDone;
  const gained = share === undefined ? 0 : share - (shareDone({ ...progress, ...before }) ?? 0);
  const isTelling = seconds > 2 && (gained > TELLING_SHARE || moves >= STEADY_MOVES);
  if (!isTelling) return {};
  return {
    ...(bytes > 0 ? { rate: `${formatSize(bytes / seconds)}/s` } : {}),
    ...(gained > 0 ? { left: `${formatDuration(seconds / gained * (1 - share!))} left` } : {}),
  };
}
