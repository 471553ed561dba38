package plugins

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"opentalk/plugins/hook"
)

// FuzzManifest: any plugin.toml is refused, or names a program in its folder, needs what can be granted, and has settings
// that can be handed over.
func FuzzManifest(f *testing.F) {
	const good = "name = 'bell'\nversion = '1'\napi = 1\nexec = 'bell'\n"
	for _, text := range []string{
		"", good, good + "args = ['-x']\nmtls = false\ncapabilities = ['send', 'notify']\n[config]\nvolume = 3\nat = 2020-01-01\n",
		good + "nix = 1\n", good + "[config]\na = inf\nb = nan\nc = [[1], {d = 'e'}]\n", strings.Replace(good, "'bell'\n", "'../bell'\n", 2),
		strings.Replace(good, "exec = 'bell'", `exec = "a/../../b"`, 1), good + "capabilities = ['root']\n", "name = [", good + "config = 3",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var m Manifest
		err := decodeTOML("plugin.toml", []byte(text), &m, manifestKeys)
		var unknown *UnknownKeyError
		if errors.As(err, &unknown) && unknown.Key == "" && !strings.Contains(text, `""`) && !strings.Contains(text, `''`) {
			t.Errorf("%q: an unknown key without a name", text)
		}
		if err != nil || m.check("bell") != nil {
			return
		}
		if m.Name != "bell" || !filepath.IsLocal(filepath.FromSlash(m.Exec)) || len(m.Args) > maxArgs {
			t.Errorf("%q: accepted %+v", text, m)
		}
		for _, c := range m.Capabilities {
			if !slices.Contains(hook.Capabilities(), c) {
				t.Errorf("%q: accepted capability %q", text, c)
			}
		}
		if raw, err := m.settings(nil); err == nil && !json.Valid(raw) {
			t.Errorf("%q: settings are %s", text, raw)
		}
		if _, err := m.settings(map[string]any{"no such setting": 1}); err == nil && m.Config["no such setting"] == nil {
			t.Errorf("%q: a setting without a default is taken", text)
		}
	})
}
