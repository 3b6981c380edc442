import { createHash } from 'node:crypto';
import type { BundledPackage } from './bundled-package.ts';

export interface MaterialsInit {
  readonly name: string;
  readonly version: string;
  readonly packages: readonly BundledPackage[];
  /** Absent where the system's Node serves. */
  readonly nodeVersion?: string;
}

/** A software bill of materials: CycloneDX 1.6 as JSON. It has no time of its own, so the same parts give the same text. */
export function billOfMaterials({ name, version, packages, nodeVersion }: MaterialsInit): string {
  const npm = packages.map((each) => {
    const purl = `pkg:npm/${each.name.replace('@', '%40')}@${each.version}`;
    return {
      type: 'library',
      'bom-ref': purl,
      name: each.name,
      version: each.version,
      licenses: licensesOf(each.license),
      purl,
    };
  });
  const node =
    nodeVersion === undefined
      ? []
      : [
          {
            type: 'platform',
            'bom-ref': `pkg:generic/node@${nodeVersion}`,
            name: 'node',
            version: nodeVersion,
            licenses: licensesOf('MIT'),
            purl: `pkg:generic/node@${nodeVersion}`,
          },
        ];
  const components = [...npm, ...node];
  const ref = `pkg:generic/${name}@${version}`;
  const digest = createHash('sha256')
    .update(JSON.stringify([ref, components]))
    .digest('hex');
  return `${JSON.stringify(
    {
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      // RFC 9562, version 8: from a digest.
      serialNumber: `urn:uuid:${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`,
      version: 1,
      metadata: {
        component: { type: 'application', 'bom-ref': ref, name, version, licenses: licensesOf('Apache-2.0') },
      },
      components,
      dependencies: [{ ref, dependsOn: components.map((each) => each['bom-ref']) }],
    },
    null,
    2,
  )}\n`;
}

const licensesOf = (license: string) =>
  license === 'NOASSERTION'
    ? []
    : / (OR|AND|WITH) /.test(license)
      ? [{ expression: license.replace(/^\((.*)\)$/, '$1') }]
      : [{ license: { id: license } }];

/** Who made what is inside and under which licence, with the texts. */
export function licenseList(packages: readonly BundledPackage[], node?: { version: string; license: string }): string {
  const rule = '-'.repeat(78);
  const parts = packages.map(({ name, version, license, licenseText }) =>
    [rule, `${name} ${version}: ${license}`, ...(licenseText === '' ? [] : ['', licenseText])].join('\n'),
  );
  const last =
    node === undefined
      ? []
      : [[rule, `Node.js ${node.version}: MIT, with parts of others`, '', node.license.trim()].join('\n')];
  return `${['What this program contains, and the licences of it.', ...parts, ...last].join('\n\n')}\n`;
}
