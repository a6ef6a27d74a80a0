import { createContext } from 'svelte';
import type { LiveNode } from './node.svelte';

/** The open node, for everything inside the frame. */
export const [useLive, provideLive] = createContext<LiveNode>();
