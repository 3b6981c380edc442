import type { TarEntry } from '../../debian/tar-archive.ts';

/** Where the administrator's links are. */
export const UNIT_FOLDER = '/etc/systemd/system';

const UNIT = /^(?:usr\/)?lib\/systemd\/system\/([a-z0-9-]+\.(?:service|timer|path|socket|target))$/;
const TARGET = /^[a-z0-9@.-]+\.(?:service|timer|path|socket|target)$/;

/** The links by which `systemctl enable` would start the units of a package: those that have an [Install] section. */
export function enabledUnits(
  files: readonly TarEntry[],
): readonly { readonly path: string; readonly target: string }[] {
  return files.flatMap((file) => {
    const unit = UNIT.exec(file.path)?.[1];
    if (file.type !== 'file' || unit === undefined) return [];
    const install =
      Buffer.from(file.content)
        .toString('utf8')
        .split(/^\[Install\]$/m)[1]
        ?.split(/^\[/m)[0] ?? '';
    return [...install.matchAll(/^(WantedBy|RequiredBy)=(.*)$/gm)].flatMap(([, key = '', targets = '']) =>
      targets
        .split(/\s+/)
        .filter((target) => TARGET.test(target))
        .map((target) => ({
          path: `${UNIT_FOLDER}/${target}.${key === 'WantedBy' ? 'wants' : 'requires'}/${unit}`,
          target: `/${file.path}`,
        })),
    );
  });
}
