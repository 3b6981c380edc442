import type { ListedCommand } from './command-list.ts';

/** Completion for bash: commands are written in, options are asked of the command's own help. */
export function bashCompletion(commands: readonly ListedCommand[]): string {
  const { single, families } = words(commands);
  const cases = [...families].map(([family, members]) => `      ${family}) words='${members.join(' ')}' ;;\n`).join('');
  return `# bash completion for pipevine
_pipevine() {
  local words='' current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  if [[ $current == -* ]]; then
    local command=()
    local word
    for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
      [[ $word == [a-z]* && \${#command[@]} -lt 2 ]] && command+=("$word")
    done
    case \${command[0]-} in
      ${[...families.keys()].join('|') || "''"}) ;;
      *) command=("\${command[@]:0:1}") ;;
    esac
    words=$(pipevine help "\${command[@]}" 2>/dev/null | grep -oE -- '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+')
  elif [[ $COMP_CWORD -eq 1 ]]; then
    words='${[...single, ...families.keys()].join(' ')}'
  elif [[ $COMP_CWORD -eq 2 ]]; then
    case \${COMP_WORDS[1]} in
${cases}      help) words='${[...single, ...families.keys()].join(' ')}' ;;
    esac
  fi
  local word
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current")
}
complete -o default -F _pipevine pipevine
`;
}

/** Completion for zsh. */
export function zshCompletion(commands: readonly ListedCommand[]): string {
  const { families } = words(commands);
  const described = (list: readonly ListedCommand[], name: (each: ListedCommand) => string) =>
    list.map((each) => `      '${name(each)}:${each.description.replaceAll("'", "'\\''")}'\n`).join('');
  const first = [
    ...commands.filter(({ name }) => !name.includes(' ')),
    ...[...families.keys()].map((name) => ({ name, usage: name, description: `commands for ${name}` })),
  ];
  const cases = [...families.keys()].map((family) => {
    const members = commands.filter(({ name }) => name.startsWith(`${family} `));
    return `    ${family})
      commands=(
${described(members, ({ name }) => name.slice(family.length + 1))}      )
      ;;
`;
  });
  return `#compdef pipevine
local -a commands options
if [[ $PREFIX == -* ]]; then
  local -a command
  command=(\${(M)words[2,CURRENT-1]:#[a-z]*})
  case \${command[1]-} in
    ${[...families.keys()].join('|') || "''"}) command=(\${command[1,2]}) ;;
    *) command=(\${command[1,1]}) ;;
  esac
  options=(\${(f)"$(pipevine help $command 2>/dev/null | grep -oE -- '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+')"})
  compadd -- $options
elif (( CURRENT == 2 )); then
  commands=(
${described(first, ({ name }) => name)}  )
  _describe command commands
elif (( CURRENT == 3 )); then
  case $words[2] in
${cases.join('')}    *) _files ;;
  esac
  (( $#commands )) && _describe command commands
else
  _files
fi
`;
}

function words(commands: readonly ListedCommand[]): { single: string[]; families: Map<string, string[]> } {
  const families = new Map<string, string[]>();
  for (const { name } of commands) {
    const [family = '', member] = name.split(' ');
    if (member !== undefined) families.set(family, [...(families.get(family) ?? []), member]);
  }
  return { single: commands.filter(({ name }) => !name.includes(' ')).map(({ name }) => name), families };
}
