#include "textflag.h"

// func markAVX2(words *[9]uint64, text *[span]byte)
//
// Sets bit n of words[0:8] when text[n] is a quote, a backslash or below 0x20.
TEXT ·markAVX2(SB), NOSPLIT, $0-16
	MOVQ words+0(FP), DI
	MOVQ text+8(FP), SI
	MOVQ $0x2222222222222222, AX
	MOVQ $0x5c5c5c5c5c5c5c5c, BX
	MOVQ $0x1f1f1f1f1f1f1f1f, CX
	VMOVQ AX, X0
	VMOVQ BX, X1
	VMOVQ CX, X2
	VPBROADCASTQ X0, Y0 // quotes
	VPBROADCASTQ X1, Y1 // backslashes
	VPBROADCASTQ X2, Y2 // the last control character
	MOVQ $8, CX

next:
	VMOVDQU (SI), Y3
	VMOVDQU 32(SI), Y4
	VPCMPEQB Y0, Y3, Y5
	VPCMPEQB Y0, Y4, Y6
	VPCMPEQB Y1, Y3, Y7
	VPCMPEQB Y1, Y4, Y8
	VPMINUB Y2, Y3, Y9
	VPMINUB Y2, Y4, Y10
	VPCMPEQB Y9, Y3, Y9  // min(c, 0x1f) == c: c is a control character
	VPCMPEQB Y10, Y4, Y10
	VPOR Y5, Y7, Y5
	VPOR Y6, Y8, Y6
	VPOR Y5, Y9, Y5
	VPOR Y6, Y10, Y6
	VPMOVMSKB Y5, AX
	VPMOVMSKB Y6, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, (DI)
	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JNZ next
	VZEROUPPER
	RET
