// Numbers in answers: what each sort means, so that a field of one name means the same in every answer.
import * as v from "valibot";

/** A number of things. */
export const COUNT = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A number of things, with what they are. */
export function countOf(what: string): v.GenericSchema<number> {
  return v.pipe(v.number(), v.integer(), v.minValue(0), v.description(what));
}

/** The contents of files; `what` says of which. */
export function bytesOf(what: string): v.GenericSchema<number> {
  return v.pipe(v.number(), v.integer(), v.minValue(0), v.description(`${what}, as the sum of the files' lengths`));
}

/** What files take on disk; `what` says which. */
export function allocatedBytesOf(what: string): v.GenericSchema<number> {
  return v.pipe(v.number(), v.integer(), v.minValue(0), v.description(`${what}, as the space it takes on disk`));
}

/** A duration; `what` says of what. */
export function secondsOf(what: string): v.GenericSchema<number> {
  return v.pipe(v.number(), v.minValue(0), v.description(`${what}, in seconds, to a thousandth`));
}

/** A time; `what` says of what. */
export function timeOf(what: string): v.GenericSchema<number> {
  return v.pipe(v.number(), v.description(`${what}, in seconds since 1970`));
}

/** A duration as answers have it. */
export function roundSeconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
