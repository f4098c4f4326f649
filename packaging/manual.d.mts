import type { Command } from 'commander';

export function leaves(command: Command): { readonly name: string; readonly command: Command }[];
export function manual(program: Command, text: string): string;
