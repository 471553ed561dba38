-- shortcuts.lua: writes out what you abbreviate: ":shrug:" becomes the whole gesture as the message goes out.
ot.register { version = "1.0", description = "writes out abbreviations", needs = { "storage" } }

local built_in = { [":shrug:"] = [[¯\_(ツ)_/¯]], [":table:"] = "(╯°□°)╯︵ ┻━┻", [":check:"] = "✓" }

local function all()
  local shortcuts = {}
  for k, v in pairs(built_in) do shortcuts[k] = v end
  for k, v in pairs(ot.store.get("own", {})) do shortcuts[k] = v end
  return shortcuts
end

ot.command {
  name = "shortcut", usage = "[NAME [TEXT]]", help = "lists shortcuts, adds one, takes one away", example = "/shortcut brb be right back",
  run = function(call)
    local own, name = ot.store.get("own", {}), call.args[1]
    if not name then
      local lines = {}
      for k, v in pairs(all()) do lines[#lines + 1] = k .. "  " .. v end
      table.sort(lines)
      return lines
    end
    local key = ":" .. name:gsub("^:(.*):$", "%1") .. ":"
    own[key] = call.line:match("^%s*%S+%s+(.+)$")
    ot.store.set("own", own)
    return own[key] and key .. " becomes " .. own[key] or key .. " is gone"
  end,
}

ot.filter("outgoing", function(m)
  if m.auto or not m.text:find(":%S+:") then return end
  local shortcuts = all()
  return (m.text:gsub(":[^%s:]+:", shortcuts))
end)

function test_writes_out()
  assert(ot.test.say("so what :shrug:") == [[so what ¯\_(ツ)_/¯]])
  assert(ot.test.say("see 10:30:45 and :unknown:") == "see 10:30:45 and :unknown:")
end

function test_own()
  ot.test.command("/shortcut brb be right back")
  assert(ot.test.say(":brb:") == "be right back")
  ot.test.command("/shortcut brb")
  assert(ot.test.say(":brb:") == ":brb:")
end
