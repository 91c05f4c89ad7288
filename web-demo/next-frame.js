// Drawing once for all that changed since the last picture of the page, and not for each change.

/**
 * @param {() => void} draw
 * @returns {() => void} to be called at each change
 */
export function onNextFrame(draw) {
  /** @type {number | undefined} */
  let frame;
  const drawNow = () => {
    frame = undefined;
    draw();
  };
  return () => {
    // A page in the background has no next picture, but a title.
    if (document.hidden) draw();
    else frame ??= requestAnimationFrame(drawNow);
  };
}
