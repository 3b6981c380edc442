import { BoardsError } from '../../boards-error.ts';
import { type ApartInit, ProgramFailure, runApart } from './apart.ts';

/** Where the kernel keeps what runs programs of other machines: Documentation/admin-guide/binfmt-misc.rst of Linux. */
const FOLDER = '/proc/sys/fs/binfmt_misc';
export const EMULATOR = 'qemu-aarch64-static';

/** The head of a 64-bit little-endian ELF file for machine 183 (AArch64), executable or shared, of any ABI. */
const MAGIC = '7f454c460201010000000000000000000200b700';
const MASK = 'ffffffffffffff00fffffffffffffffffeffffff';

/** The exit code that the script below has for itself. */
const NOT_REGISTERED = 97;
/** The newest handler is asked first, so that what the machine has besides does not matter. Some kernels keep it until it is removed. */
const REGISTER = `{ mount -t binfmt_misc binfmt_misc ${FOLDER} && printf '%s' "$1" > ${FOLDER}/register; } || exit ${NOT_REGISTERED}
shift
exec "$@"`;
const FORGET = `mount -t binfmt_misc binfmt_misc ${FOLDER}; [ ! -e "${FOLDER}/$1" ] || echo -1 > "${FOLDER}/$1"`;

/**
 * `runApart` for a command that runs programs for arm64, also in folders where there is no emulator: the kernel opens that at the
 * start. On a machine for arm64 nothing is emulated. Throws `environment`.
 */
export async function runWithArm64(command: readonly string[], init: ApartInit = {}): Promise<string> {
  if (process.arch === 'arm64') return runApart(command, init);
  const name = `pipevine-aarch64-${process.pid}`;
  try {
    const script = ['sh', '-c', REGISTER, 'sh', registration(name), ...command];
    return await runApart(script, { ...init, name: init.name ?? command[0] });
  } catch (error) {
    if (!(error instanceof ProgramFailure) || error.exitCode !== NOT_REGISTERED) throw error;
    throw new BoardsError(
      'environment',
      `this machine does not run programs for arm64: ${error.message}\nThat needs the kernel module binfmt_misc (run: modprobe binfmt_misc), and in a container the right to mount it`,
      { cause: error },
    );
  } finally {
    await runApart(['sh', '-c', FORGET, 'sh', name]).catch(() => {}); // it could not be registered either
  }
}

/** Flags O, C, F: the emulator gets the program open and with its rights, and is itself opened now. Bytes are escaped, as some would end the text. */
export function registration(name: string): string {
  const escaped = (digits: string) => digits.replace(/../g, '\\x$&');
  return `:${name}:M::${escaped(MAGIC)}:${escaped(MASK)}:/usr/bin/${EMULATOR}:OCF`;
}
