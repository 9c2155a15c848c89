// Follows a growing text: stays at its end as long as the reader is there, and leaves readers further up in peace.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

/** Within this many pixels of the end one counts as being there. */
const near = 80;

export function useFollow(talk: string | undefined) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [away, setAway] = useState(false);
  const toBottom = useCallback(() => {
    following.current = true;
    setAway(false);
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }, []);
  useEffect(() => {
    const box = scroller.current;
    const inside = content.current;
    if (!box || !inside) return;
    const look = () => {
      following.current = box.scrollHeight - box.scrollTop - box.clientHeight < near;
      setAway(!following.current);
    };
    const observer = new ResizeObserver(() => {
      if (following.current) box.scrollTo({ top: box.scrollHeight });
      else look();
    });
    box.addEventListener('scroll', look, { passive: true });
    observer.observe(inside);
    observer.observe(box);
    return () => {
      box.removeEventListener('scroll', look);
      observer.disconnect();
    };
  }, [talk]);
  return { scroller, content, away, toBottom };
}
