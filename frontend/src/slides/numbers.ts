const SPACE = "\u00a0";
const MINUTE = 60;
const HOUR = 3600;

/** A rest of time, as coarse as a forecast is: seconds, minutes, then hours and minutes. */
export function timeLeft(seconds: number): string {
  if (seconds < MINUTE) return `${Math.max(1, Math.round(seconds))}${SPACE}s`;
  const minutes = Math.round(seconds / MINUTE);
  if (seconds < HOUR) return `${minutes}${SPACE}min`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return rest === 0 ? `${hours}${SPACE}h` : `${hours}${SPACE}h ${rest}${SPACE}min`;
}

/** An area of tissue: two decimals where it is small. */
export function area(mm2: number): string {
  const digits = mm2 >= 100 ? 0 : mm2 >= 10 ? 1 : 2;
  return `${mm2.toFixed(digits)}${SPACE}mm²`;
}
