"""The scripts that users load into their shells.

They replace Typer's. In bash, that one cannot complete a word with a colon. In zsh, it completes nothing at the first
TAB. In fish, it starts `mldeploy` twice for each TAB.
"""

from __future__ import annotations

from collections.abc import Mapping

_BASH = r"""
_mldeploy_completion() {
    local line found code=0
    found=$(env COMP_WORDS="$(IFS=$'\n'; printf '%s' "${COMP_WORDS[*]}")" COMP_CWORD="$COMP_CWORD" \
        _MLDEPLOY_LINE="${COMP_LINE:0:COMP_POINT}" _MLDEPLOY_BREAKS="$COMP_WORDBREAKS" \
        _MLDEPLOY_COMPLETE=complete_bash "$1" 2>/dev/null) || code=$?
    if [ "$code" -eq 3 ]; then
        compopt +o default 2>/dev/null
    fi
    COMPREPLY=()
    if [ -n "$found" ]; then
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done <<< "$found"
    fi
    return 0
}

complete -o default -F _mldeploy_completion mldeploy
"""
_ZSH = """
#compdef mldeploy

_mldeploy_completion() {
    eval "$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _MLDEPLOY_COMPLETE=complete_zsh mldeploy 2>/dev/null)"
}

if [ "${funcstack[1]}" = _mldeploy ]; then
    _mldeploy_completion "$@"
else
    compdef _mldeploy_completion mldeploy
fi
"""
_FISH = r"""
function __mldeploy_completion
    set -l found (env _MLDEPLOY_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS=(commandline -cp | string collect) mldeploy 2>/dev/null)
    set -l code $status
    if test (count $found) -gt 0
        printf '%s\n' $found
    else if test $code -ne 3
        __fish_complete_path (commandline -ct)
    end
end

complete --command mldeploy --erase
complete --command mldeploy --no-files --arguments '(__mldeploy_completion)'
"""
SCRIPTS: Mapping[str, str] = {"bash": _BASH.strip(), "zsh": _ZSH.strip(), "fish": _FISH.strip()}
"""By shell. PowerShell keeps Typer's."""


def install_script(shell: str) -> str:
    """Install the script where Typer installs its own, and return what to tell the user. May be repeated."""
    from typer.completion import install  # type: ignore[attr-defined]  # noqa: PLC0415 - imported there without being declared

    _, path = install(shell=shell, prog_name="mldeploy", complete_var="_MLDEPLOY_COMPLETE")
    path.write_text(f"{SCRIPTS[shell]}\n", encoding="utf-8")
    return f"{shell} completion installed in {path}\nCompletion will take effect once you restart the terminal"
