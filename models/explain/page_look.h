// How the page of an explanation looks and moves.
#pragma once

namespace vitrail::models::explain {

// CSS, beside that of base/html.h.
extern const char* const kPageStyle;
// JavaScript: reads the elements #facts (JSON) and #attention (encode_attention) and shows the attention of the patch under the
// pointer. Without it the page is complete but for that.
extern const char* const kPageScript;

}  // namespace vitrail::models::explain
