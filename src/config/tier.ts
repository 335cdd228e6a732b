// Where programs use a variable's files.

/** `node`: in a copy on the disk of each node, made from the copy on scratch. */
export type Tier = typeof TIERS[number];

/** The tiers by name. */
export const TIERS = ["scratch", "node"] as const;
