const STEPS = [1, 2, 5];

/** The longest round length, in micrometres, whose bar is at most `room` pixels long. */
export function scaleBar(
  micrometresPerPixel: number,
  room: number,
): { micrometres: number; pixels: number } {
  const most = micrometresPerPixel * room;
  const decade = 10 ** Math.floor(Math.log10(most));
  const step = Math.max(...STEPS.filter((each) => each * decade <= most * (1 + 1e-9)));
  const micrometres = Number((step * decade).toPrecision(1));
  return { micrometres, pixels: micrometres / micrometresPerPixel };
}
