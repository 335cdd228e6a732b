// Finds the word for "Did you mean …?".
import leven from "leven";

/** A longer word is not a mistyped name, and comparing it would take long. */
const MOST_CHARACTERS = 200;

/** The known word nearest to a mistyped one, or undefined where none is near. Case doesn't count. */
export function closestString(word: string, known: readonly string[]): string | undefined {
  if (word.length > MOST_CHARACTERS) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = leven(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
