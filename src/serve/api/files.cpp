// OpenAI's files: upload, list, look, read, delete.
// Refuses: a server without a store, purposes that are none, files without a name.
#include <charconv>

#include "serve/api/listing.h"
#include "serve/api/multipart.h"
#include "serve/api/named_events.h"
#include "serve/api/routes.h"
#include "serve/http/elsewhere.h"
#include "serve/store/store.h"

namespace madang {
namespace {

Json told(const StoredFile& file) {
  Json out = {{"id", file.id},         {"object", "file"},
              {"bytes", file.bytes},   {"created_at", file.created / 1'000'000},
              {"filename", file.name}, {"purpose", file.purpose},
              {"status", "processed"}};
  if (file.expires) out["expires_at"] = *file.expires;
  return out;
}

[[noreturn]] void not_found(const std::string& id) {
  throw Problem(say("No such File object: {}", id), "id").status(404);
}

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

std::string field(const std::map<std::string, FormPart>& form, const std::string& name) {
  const auto found = form.find(name);
  return found == form.end() ? std::string() : std::string(found->second.bytes);
}

/// expires_after[seconds], counted from the upload.
std::optional<int64_t> expiry(const std::map<std::string, FormPart>& form, int64_t now_seconds) {
  const std::string name = "expires_after[seconds]", text = field(form, name);
  const std::string anchor = field(form, "expires_after[anchor]");
  if (!anchor.empty() && anchor != "created_at")
    throw Problem(say("'{}' must be '{}'", "expires_after[anchor]", "created_at"), "expires_after[anchor]");
  if (text.empty()) return {};
  int64_t seconds = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (fault != std::errc() || end != text.data() + text.size() || seconds < 3600 || seconds > 2'592'000)
    throw Problem(say("'{}' must be a number from {} to {}", name, 3600, 2'592'000), name);
  return now_seconds + seconds;
}

StoredFile file_of(const std::map<std::string, FormPart>& form) {
  for (const auto& [name, part] : form)
    if (name != "file" && name != "purpose" && !name.starts_with("expires_after["))
      throw Problem(say("Unknown parameter: '{}'.", is_utf8(name) ? name : "?"), "", "unknown_parameter");
  StoredFile file;
  file.purpose = field(form, "purpose");
  if (file.purpose.empty())
    throw Problem(say("Missing required parameter: '{}'.", "purpose"), "purpose", "missing_required_parameter");
  bool known = false;
  for (const char* purpose : {"assistants", "batch", "fine-tune", "vision", "user_data"})
    known = known || file.purpose == purpose;
  if (!known)
    throw Problem(say("'{}' must be one of assistants, batch, fine-tune, vision, user_data", "purpose"), "purpose",
                  "invalid_value");
  const auto part = form.find("file");
  if (part == form.end())
    throw Problem(say("Missing required parameter: '{}'.", "file"), "file", "missing_required_parameter");
  file.name = part->second.filename.value_or("");
  const bool control = std::ranges::any_of(file.name, [](unsigned char c) { return c < 32 || c == 127; });
  if (file.name.empty() || file.name.size() > 1024 || control || !is_utf8(file.name))
    throw Problem(say("the file needs a name of 1 to 1,024 bytes, in UTF-8 and without control characters"), "file");
  file.id = new_id("file-");
  file.created = now_microseconds();
  file.expires = expiry(form, file.created / 1'000'000);
  file.bytes = static_cast<int64_t>(part->second.bytes.size());
  return file;
}

Task<void> upload(Services& services, Exchange& x) {
  const auto form = read_multipart(x.request().header("content-type"), x.request().body);
  const StoredFile file = file_of(form);
  const std::string_view bytes = form.at("file").bytes;
  co_await elsewhere(services.helpers,
                     [&services, &x, &file, bytes] { services.store.put(x.request().client.name, file, bytes); });
  co_await x.reply(200, "application/json", json_text(told(file)));
}

Task<void> list(Services& services, Exchange& x) {
  const Window window = window_of(x.request(), 10'000, 10'000);
  const auto given = x.request().query.find("purpose");
  const std::string purpose = given == x.request().query.end() ? "" : given->second;
  const auto page = co_await elsewhere(services.helpers, [&services, &x, &window, &purpose] {
    // A purpose that no file can have is not shown to the database: PostgreSQL would refuse its bytes.
    if (purpose.find('\0') != std::string::npos || !is_utf8(purpose)) return Listed<StoredFile>();
    return services.store.files(x.request().client.name, purpose, window);
  });
  co_await x.reply(200, "application/json", json_text(list_object(page, told)));
}

Task<void> look(Services& services, Exchange& x) {
  const std::string& id = x.request().parameters.at("id");
  const auto file = co_await elsewhere(
      services.helpers, [&services, &x, &id] { return services.store.file(x.request().client.name, id); });
  if (!file) not_found(id);
  co_await x.reply(200, "application/json", json_text(told(*file)));
}

Task<void> content(Services& services, Exchange& x) {
  const std::string& id = x.request().parameters.at("id");
  auto bytes = co_await elsewhere(services.helpers,
                                  [&services, &x, &id] { return services.store.bytes(x.request().client.name, id); });
  if (!bytes) not_found(id);
  // What others have uploaded is never shown as a page of this server.
  x.header("content-disposition", "attachment");
  x.header("x-content-type-options", "nosniff");
  co_await x.reply(200, "application/octet-stream", std::move(*bytes));
}

Task<void> remove(Services& services, Exchange& x) {
  const std::string& id = x.request().parameters.at("id");
  const bool there = co_await elsewhere(
      services.helpers, [&services, &x, &id] { return services.store.remove_file(x.request().client.name, id); });
  if (!there) not_found(id);
  const Json answer = {{"id", id}, {"object", "file"}, {"deleted", true}};
  co_await x.reply(200, "application/json", json_text(answer));
}

}  // namespace

std::vector<Route> file_routes() {
  return {{"POST", "/v1/files", upload},
          {"GET", "/v1/files", list},
          {"GET", "/v1/files/{id}", look},
          {"GET", "/v1/files/{id}/content", content},
          {"DELETE", "/v1/files/{id}", remove}};
}

}  // namespace madang
