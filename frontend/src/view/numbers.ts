const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const SPACE = "\u00a0";

/** A share in [0, 1] as a percentage; never a certainty that was not measured. */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return `<${SPACE}0.1${SPACE}%`;
  if (share < 1 && share > 0.999) return `>${SPACE}99.9${SPACE}%`;
  return `${exact.format(share * 100)}${SPACE}%`;
}

const ordinals = new Intl.PluralRules("en", { type: "ordinal" });
const ENDINGS: Partial<Record<Intl.LDMLPluralRule, string>> = { one: "st", two: "nd", few: "rd" };

/** 1st, 2nd, 3rd, 4th, 11th, 21st. */
export function ordinal(place: number): string {
  return `${place}${ENDINGS[ordinals.select(place)] ?? "th"}`;
}

export function megabytes(bytes: number): string {
  return bytes < 100_000
    ? `${plain.format(bytes / 1000)}${SPACE}kB`
    : `${plain.format(bytes / 1e6)}${SPACE}MB`;
}

export function megapixels(pixels: number): string {
  return `${plain.format(pixels / 1e6)}${SPACE}megapixels`;
}

export function duration(milliseconds: number): string {
  return milliseconds < 1000
    ? `${Math.round(milliseconds)}${SPACE}ms`
    : `${exact.format(milliseconds / 1000)}${SPACE}s`;
}
