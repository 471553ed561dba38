-- links.lua: collects the links that people post. /links shows the newest, or those with a word in them.
ot.register { version = "1.0", description = "collects links", needs = { "storage", "history" } }

local config = ot.config { keep = 200, show = 10 }

ot.on("message", function(m)
  local url = ot.re.match(m.text, [[https?://[^\s<>"]+]])
  if not url then return end
  local all = ot.store.get(m.tag, {})
  for _, old in ipairs(all) do
    if old.url == url then return end
  end
  all[#all + 1] = { url = url, from = m.from, at = m.written, text = m.text }
  while #all > config.keep do table.remove(all, 1) end
  ot.store.set(m.tag, all)
end)

ot.command {
  name = "links", usage = "[WORD]", help = "shows the links of this round, newest first", example = "/links wiki",
  run = function(call)
    for _, r in ipairs(ot.rounds()) do
      if r.round == call.round then
        local lines, all = {}, ot.store.get(r.tag, {})
        for i = #all, 1, -1 do
          local l = all[i]
          if #lines < config.show and (l.text .. l.from):lower():find(call.line:lower(), 1, true) then
            lines[#lines + 1] = ("%s  %s  %s"):format(ot.date("%F", l.at), l.from, l.url)
          end
        end
        return #lines > 0 and lines or "no links"
      end
    end
    return nil, "there is no round"
  end,
}

function test_collects_each_once()
  ot.test.receive { from = "bob", text = "look: https://example.org/wiki/Tea, nice" }
  ot.test.receive { from = "eve", text = "https://example.org/wiki/Tea, again" }
  ot.test.receive { from = "eve", text = "and https://example.org/b" }
  assert(#ot.test.command("/links") == 2)
  local found = ot.test.command("/links wiki")
  assert(#found == 1 and found[1]:find("bob", 1, true))
end
