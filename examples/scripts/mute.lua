-- mute.lua: does not show what matches a pattern. It stays in the chain, and in the history of everybody else.
ot.register { version = "1.0", description = "hides what matches a pattern", needs = { "storage", "history" } }

local function patterns() return ot.store.get("patterns", {}) end

ot.command {
  name = "mute", usage = "[PATTERN]", help = "hides messages that match a regular expression, or lists them", example = "/mute (?i)lunch",
  run = function(call)
    local all = patterns()
    if call.line == "" then
      local lines = {}
      for i, p in ipairs(all) do lines[i] = i .. "  " .. p end
      return #lines > 0 and lines or "nothing is hidden"
    end
    local fine, problem = pcall(ot.re.match, "", call.line)
    if not fine then return nil, problem:gsub("^.-: ", "") end
    all[#all + 1] = call.line
    ot.store.set("patterns", all)
    return "hidden; /unmute " .. #all .. " shows it again"
  end,
}

ot.command {
  name = "unmute", usage = "NUMBER", help = "shows again what /mute hid", example = "/unmute 1", min = 1, max = 1,
  run = function(call)
    local all, n = patterns(), tonumber(call.args[1])
    if not all[n] then return nil, "/mute lists the numbers" end
    local gone = table.remove(all, n)
    ot.store.set("patterns", all)
    return gone .. " is shown again"
  end,
}

ot.filter("incoming", function(m)
  for _, p in ipairs(patterns()) do
    if ot.re.match(m.text, p) then return false, "muted" end
  end
end)

function test_hides()
  ot.test.command("/mute (?i)lunch")
  assert(not ot.test.receive { text = "LUNCH!" })
  assert(ot.test.receive { text = "dinner" })
  ot.test.command("/unmute 1")
  assert(ot.test.receive { text = "LUNCH!" })
end

function test_refuses_a_broken_pattern()
  local lines, problem = ot.test.command("/mute (")
  assert(lines == nil and problem)
end
