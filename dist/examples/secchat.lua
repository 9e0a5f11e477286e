-- secchat in Neovim: `:luafile dist/examples/secchat.lua`, then
--   :[range]SecchatSend NAME     sends lines of the buffer (without a range, the one under the cursor) as one text
-- Who writes or asks to talk is told by vim.notify, and texts with it. It speaks to `secchatctl bridge`.
local secchat = { waiting = {}, next_id = 1, rest = "" }

local function tell(text, level)
  -- A peer's text may hold anything: a control character is not for the message line.
  vim.notify((text:gsub("%c", " ")), level or vim.log.levels.INFO)
end

local function take(line)
  local message = vim.fn.json_decode(line)
  local event = message.method == "event" and message.params
  if event and event.event == "message_received" then
    tell(event.peer .. ": " .. event.text)
  elseif event and event.event == "request_received" and event.state == "pending" then
    tell(event.peer .. " asks to talk: secchatctl accept " .. event.peer)
  elseif message.id then
    local done = secchat.waiting[message.id]
    secchat.waiting[message.id] = nil
    if message.error then tell(message.error.message, vim.log.levels.ERROR) elseif done then done() end
  end
end

local job = vim.fn.jobstart({ "secchatctl", "bridge" }, {
  on_stdout = function(_, pieces)
    pieces[1] = secchat.rest .. pieces[1]
    secchat.rest = table.remove(pieces)
    for _, line in ipairs(pieces) do take(line) end
  end,
  on_exit = function(_, code) tell("secchatctl bridge ended with " .. code, vim.log.levels.WARN) end,
})

function secchat.call(method, params, done)
  local id = secchat.next_id
  secchat.next_id = id + 1
  secchat.waiting[id] = done or function() end
  local request = { jsonrpc = "2.0", id = id, method = method, params = params }
  vim.fn.chansend(job, vim.fn.json_encode(request) .. "\n")
end

vim.api.nvim_create_user_command("SecchatSend", function(command)
  local lines = vim.api.nvim_buf_get_lines(0, command.line1 - 1, command.line2, false)
  local params = { peer = command.args, text = table.concat(lines, "\n") }
  secchat.call("send", params, function() tell("delivered to " .. command.args) end)
end, { nargs = 1, range = true })

secchat.call("subscribe", vim.empty_dict())
_G.secchat = secchat
